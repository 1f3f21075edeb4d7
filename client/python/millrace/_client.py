"""The client: submit, wait, watch, cancel; and the daemon's workers."""
from __future__ import annotations

import datetime
import random
import time
import uuid
from typing import Any, Iterable, Iterator, Mapping, Optional, Union

import grpc

from ._errors import MillraceError, from_rpc, from_status
from ._values import duration, from_bytes, seconds_for, timestamp, to_bytes
from .v1 import job_pb2, job_service_pb2, job_service_pb2_grpc, worker_service_pb2, worker_service_pb2_grpc

TERMINAL = {job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED,
             job_pb2.JOB_STATE_EXPIRED, job_pb2.JOB_STATE_QUARANTINED}
_POLL_SECONDS = 20.0
_ATTEMPTS = 4
WAIT_ATTEMPTS = 12  # Some 30 s of absence.


# Of every channel.
CHANNEL = [("grpc.max_receive_message_length", 64 << 20), ("grpc.enable_http_proxy", 0)]


def make_request(kind: str, payload: Any, wait_for_room: bool, *, pool: str = "", band: str = "",
             delay: Optional[float] = None, run_at: Optional[datetime.datetime] = None,
             run_timeout: Optional[float] = None, deadline: Optional[datetime.datetime] = None,
             deadline_after: Optional[float] = None, max_attempts: Optional[int] = None,
             labels: Optional[Mapping[str, str]] = None, unique_key: str = "", request_id: str = "",
             no_retry_after_start: bool = False, require: Optional[Mapping[str, str]] = None,
             prefer: Optional[Mapping[str, str]] = None) -> job_service_pb2.SubmitJobRequest:
    spec = job_pb2.JobSpec(pool=pool, kind=kind, payload=to_bytes(payload), labels=labels or {},
                           no_retry_after_start=no_retry_after_start)
    if band:
        spec.band = job_pb2.Band.Value("BAND_" + band.upper())
    if delay is not None:
        spec.delay.CopyFrom(duration(delay))
    if run_at is not None:
        spec.run_at.CopyFrom(timestamp(run_at))
    if run_timeout is not None:
        spec.run_timeout.CopyFrom(duration(run_timeout))
    if deadline is not None:
        spec.deadline.CopyFrom(timestamp(deadline))
    if deadline_after is not None:
        spec.deadline_after.CopyFrom(duration(deadline_after))
    if max_attempts is not None:
        spec.retry.max_attempts = max_attempts
    if unique_key:
        spec.unique_key.key = unique_key
    if require:
        spec.placement.require.update(require)
    if prefer:
        spec.placement.prefer.update(prefer)
    return job_service_pb2.SubmitJobRequest(
        spec=spec, request_id=request_id or uuid.uuid4().hex,
        on_full=job_pb2.ON_FULL_WAIT if wait_for_room else job_pb2.ON_FULL_UNSPECIFIED)


def leaves_out_result(job: job_pb2.Job) -> bool:
    """It is larger than an answer may be. A daemon that has no large results does not tell a size."""
    return job.result_bytes > len(job.result)


class JobFailed(Exception):
    """A job that was waited for has ended without success; `job` is its last state."""

    def __init__(self, job: job_pb2.Job):
        state = job_pb2.JobState.Name(job.state).replace("JOB_STATE_", "")
        super().__init__(f"job {job.id} is {state}: {job.error}")
        self.job = job


class Job:
    """A job that was accepted."""

    def __init__(self, client: "Client", id: str):
        self._client = client
        self.id = id

    def __repr__(self) -> str:
        return f"<millrace.Job {self.id}>"

    def get(self) -> job_pb2.Job:
        """As it is now, with payload, result, history and log; and while it waits, `waiting` says for what."""
        return self._client.get(self.id)

    def wait(self, timeout: Optional[float] = None) -> job_pb2.Job:
        """Until it has ended, whatever its end; without its payload. TimeoutError when `timeout` seconds are over."""
        return self._client.wait(self.id, timeout)

    def result(self, timeout: Optional[float] = None) -> Any:
        """What its handler returned: what JSON says, else bytes. JobFailed where it has no result."""
        job = self.wait(timeout)
        if job.state != job_pb2.JOB_STATE_SUCCEEDED:
            raise JobFailed(job)
        return from_bytes(job.result)

    def cancel(self, reason: str = "") -> job_pb2.Job:
        return self._client.cancel(self.id, reason)

    def watch(self) -> Iterator[job_service_pb2.JobEvent]:
        """Its events, from now to its end."""
        return self._client.watch(job_id=self.id)


class Client:
    """A connection to a daemon. Threads share it.

    Calls have a deadline of `deadline` seconds. Where nobody answers (UNAVAILABLE), reads and submits are repeated a few
    times; submits carry a request id for that, so that none becomes two jobs.
    """

    def __init__(self, address: str = "127.0.0.1:7070", *, deadline: float = 30.0,
                 metadata: Iterable[tuple[str, str]] = ()):
        self._channel = grpc.insecure_channel(address, options=CHANNEL)
        self._jobs = job_service_pb2_grpc.JobServiceStub(self._channel)
        self._workers = worker_service_pb2_grpc.WorkerServiceStub(self._channel)
        self._deadline = deadline
        self._metadata = [*metadata, ("millrace-receive-bytes-max", str(64 << 20))]

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # ---- Submit

    def submit(self, kind: str, payload: Any = None, *, wait_for_room: bool = False, **spec: Any) -> Job:
        """One job. payload: bytes as they are, else JSON.

        spec: pool, band ("high"), delay, run_at, run_timeout, deadline, deadline_after, max_attempts, labels, unique_key,
        request_id, no_retry_after_start; times as seconds or as datetime with a zone. require, prefer: labels of the
        workers that may run it ({"gpu": "a100"}), and of those that should.
        """
        request = make_request(kind, payload, wait_for_room, **spec)
        return Job(self, self._call(self._jobs.SubmitJob, request).id)

    def submit_many(self, jobs: Iterable[Union[tuple[str, Any], Mapping[str, Any]]], *, wait_for_room: bool = True,
                    window: int = 256) -> Iterator[Union[Job, MillraceError]]:
        """Many jobs over one stream: for each, in order, its Job or why it was refused. Each is (kind, payload) or the
        arguments of submit. A full pool slows the stream down. MillraceError where the stream breaks."""
        import threading

        room = threading.Semaphore(window)
        sent = 0
        answers: dict[int, Union[Job, MillraceError]] = {}

        bad_input: list[BaseException] = []

        def requests() -> Iterator[job_service_pb2.StreamSubmitRequest]:
            nonlocal sent
            try:
                for each in jobs:
                    given = dict(each) if isinstance(each, Mapping) else {"kind": each[0], "payload": each[1]}
                    request = make_request(given.pop("kind"), given.pop("payload", None), wait_for_room, **given)
                    room.acquire()
                    yield job_service_pb2.StreamSubmitRequest(sequence=sent, request=request)
                    sent += 1
            except Exception as error:  # gRPC would tell of it without saying what it was.
                bad_input.append(error)
                raise

        next_answer = 0
        try:
            for answer in self._jobs.StreamSubmit(requests(), metadata=self._metadata):
                room.release()
                answers[answer.sequence] = (from_status(answer.error) if answer.HasField("error")
                                            else Job(self, answer.response.id))
                while next_answer in answers:
                    yield answers.pop(next_answer)
                    next_answer += 1
        except grpc.RpcError as error:
            if bad_input:
                raise bad_input[0] from None
            raise from_rpc(error) from None
        finally:
            room.release(1 << 20)

    # ---- Look, wait, change

    def get(self, id: str) -> job_pb2.Job:
        """With its payload and its result, whatever their size."""
        return self._with_result(self._call(self._jobs.GetJob, job_service_pb2.GetJobRequest(id=id)))

    def read_result(self, id: str, *, deadline: Optional[float] = None) -> bytes:
        """The result of a job that SUCCEEDED, of any size. MillraceError NO_RESULT: it has not, or not yet. deadline:
        seconds, in place of the client's."""
        def read(request: Any, **call: Any) -> bytes:
            return b"".join(piece.data for piece in self._jobs.ReadResult(request, **call))

        # It does not change, so what was cut off is read from its beginning again.
        return self._call(read, job_service_pb2.ReadResultRequest(id=id), deadline=deadline, attempts=WAIT_ATTEMPTS,
                          busy="SERVER_BUSY")

    def _with_result(self, job: job_pb2.Job) -> job_pb2.Job:
        if leaves_out_result(job):
            job.result = self.read_result(job.id, deadline=seconds_for(job.result_bytes, self._deadline))
        return job

    def wait(self, id: str, timeout: Optional[float] = None) -> job_pb2.Job:
        """Until the job has ended, in long polls, also through short absences of the daemon. A large result is read
        then, and `timeout` does not count for that."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _POLL_SECONDS if until is None else min(_POLL_SECONDS, until - time.monotonic())
            request = job_service_pb2.WaitJobRequest(id=id, timeout=duration(max(left, 0.0)))
            job = self._call(self._jobs.WaitJob, request, deadline=max(left, 0.0) + self._deadline,
                             attempts=WAIT_ATTEMPTS)
            if job.state in TERMINAL:
                return self._with_result(job)
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(f"job {id} has not ended in {timeout} s")

    def watch(self, *, job_id: str = "", filter: str = "",
              include_log: bool = False) -> Iterator[job_service_pb2.JobEvent]:
        """Events as they come. Of one job: from what it is now to its end."""
        request = job_service_pb2.WatchJobsRequest(job_id=job_id, filter=filter, include_log=include_log)
        try:
            yield from self._jobs.WatchJobs(request, metadata=self._metadata)
        except grpc.RpcError as error:
            raise from_rpc(error) from None

    def cancel(self, id: str, reason: str = "") -> job_pb2.Job:
        request = job_service_pb2.CancelJobRequest(id=id, reason=reason)
        return self._call(self._jobs.CancelJob, request, attempts=1)

    # ---- Workers

    def list_workers(self, *, kind: str = "") -> list[worker_service_pb2.Worker]:
        """All that are connected, or hold attempts and may come back; the oldest first. kind: that offer it."""
        request = worker_service_pb2.ListWorkersRequest(kind=kind)
        workers: list[worker_service_pb2.Worker] = []
        while True:
            page = self._call(self._workers.ListWorkers, request)
            workers.extend(page.workers)
            request.page_token = page.next_page_token
            if not request.page_token:
                return workers

    def get_worker(self, worker: str) -> worker_service_pb2.Worker:
        """With the attempts that it holds. worker: an id, or a name that only one has."""
        return self._call(self._workers.GetWorker, worker_service_pb2.GetWorkerRequest(worker=worker))

    def drain_worker(self, worker: str) -> worker_service_pb2.Worker:
        """It goes on with what it has, and gets no more until it is resumed."""
        return self._call(self._workers.DrainWorker, worker_service_pb2.DrainWorkerRequest(worker=worker))

    def resume_worker(self, worker: str) -> worker_service_pb2.Worker:
        return self._call(self._workers.ResumeWorker, worker_service_pb2.ResumeWorkerRequest(worker=worker))

    def _call(self, method: Any, request: Any, *, deadline: Optional[float] = None, attempts: int = _ATTEMPTS,
              busy: str = "") -> Any:
        """busy: the reason of another refusal that a repeat may help."""
        for attempt in range(1, attempts + 1):
            try:
                return method(request, timeout=deadline or self._deadline, metadata=self._metadata)
            except grpc.RpcError as error:
                ours = from_rpc(error)
                again = ours.code == grpc.StatusCode.UNAVAILABLE or (busy and ours.reason == busy)
                if not again or attempt == attempts:
                    raise ours from None
            time.sleep(random.uniform(0, min(0.2 * 2**attempt, 5.0)))
