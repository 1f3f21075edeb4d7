"""The client for asyncio: as millrace.Client, and each call is awaited.

    async with millrace.aio.Client("127.0.0.1:7070") as client:
        job = await client.submit("resize", {"path": "cat.png", "width": 200})
        print(await job.result(timeout=60))

A cancelled task cancels its call. One Client belongs to one event loop.
"""
from __future__ import annotations

import asyncio
import random
import time
from typing import Any, AsyncIterable, AsyncIterator, Iterable, Mapping, Optional, Union

import grpc

from ._client import CHANNEL, JobFailed, TERMINAL, WAIT_ATTEMPTS, leaves_out_result, make_request
from ._errors import MillraceError, from_rpc, from_status
from ._values import duration, from_bytes, seconds_for
from .v1 import job_pb2, job_service_pb2, job_service_pb2_grpc, worker_service_pb2, worker_service_pb2_grpc

__all__ = ["Client", "Job"]

_POLL_SECONDS = 20.0
_ATTEMPTS = 4


class Job:
    """A job that was accepted."""

    def __init__(self, client: "Client", id: str):
        self._client = client
        self.id = id

    def __repr__(self) -> str:
        return f"<millrace.aio.Job {self.id}>"

    async def get(self) -> job_pb2.Job:
        return await self._client.get(self.id)

    async def wait(self, timeout: Optional[float] = None) -> job_pb2.Job:
        return await self._client.wait(self.id, timeout)

    async def result(self, timeout: Optional[float] = None) -> Any:
        job = await self.wait(timeout)
        if job.state != job_pb2.JOB_STATE_SUCCEEDED:
            raise JobFailed(job)
        return from_bytes(job.result)

    async def cancel(self, reason: str = "") -> job_pb2.Job:
        return await self._client.cancel(self.id, reason)

    def watch(self) -> AsyncIterator[job_service_pb2.JobEvent]:
        return self._client.watch(job_id=self.id)


class Client:
    def __init__(self, address: str = "127.0.0.1:7070", *, deadline: float = 30.0,
                 metadata: Iterable[tuple[str, str]] = ()):
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL)
        self._jobs = job_service_pb2_grpc.JobServiceStub(self._channel)
        self._workers = worker_service_pb2_grpc.WorkerServiceStub(self._channel)
        self._deadline = deadline
        self._metadata = [*metadata, ("millrace-receive-bytes-max", str(64 << 20))]

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def submit(self, kind: str, payload: Any = None, *, wait_for_room: bool = False, **spec: Any) -> Job:
        request = make_request(kind, payload, wait_for_room, **spec)
        return Job(self, (await self._call(self._jobs.SubmitJob, request)).id)

    async def submit_many(
            self, jobs: Union[Iterable, AsyncIterable], *, wait_for_room: bool = True, window: int = 256,
    ) -> AsyncIterator[Union[Job, MillraceError]]:
        """As millrace.Client.submit_many; `jobs` may be asynchronous."""
        room = asyncio.Semaphore(window)

        async def all_jobs() -> AsyncIterator[Any]:
            if hasattr(jobs, "__aiter__"):
                async for each in jobs:
                    yield each
            else:
                for each in jobs:
                    yield each

        async def requests() -> AsyncIterator[job_service_pb2.StreamSubmitRequest]:
            sequence = 0
            async for each in all_jobs():
                given = dict(each) if isinstance(each, Mapping) else {"kind": each[0], "payload": each[1]}
                request = make_request(given.pop("kind"), given.pop("payload", None), wait_for_room, **given)
                await room.acquire()
                yield job_service_pb2.StreamSubmitRequest(sequence=sequence, request=request)
                sequence += 1

        answers: dict[int, Union[Job, MillraceError]] = {}
        next_answer = 0
        call = self._jobs.StreamSubmit(requests(), metadata=self._metadata)
        try:
            async for answer in call:
                room.release()
                answers[answer.sequence] = (from_status(answer.error) if answer.HasField("error")
                                            else Job(self, answer.response.id))
                while next_answer in answers:
                    yield answers.pop(next_answer)
                    next_answer += 1
        except grpc.RpcError as error:
            raise from_rpc(error) from None
        finally:
            call.cancel()

    async def get(self, id: str) -> job_pb2.Job:
        return await self._with_result(await self._call(self._jobs.GetJob, job_service_pb2.GetJobRequest(id=id)))

    async def read_result(self, id: str, *, deadline: Optional[float] = None) -> bytes:
        async def read(request: Any, **call: Any) -> bytes:
            return b"".join([piece.data async for piece in self._jobs.ReadResult(request, **call)])

        return await self._call(read, job_service_pb2.ReadResultRequest(id=id), deadline=deadline,
                                attempts=WAIT_ATTEMPTS, busy="SERVER_BUSY")

    async def _with_result(self, job: job_pb2.Job) -> job_pb2.Job:
        if leaves_out_result(job):
            job.result = await self.read_result(job.id, deadline=seconds_for(job.result_bytes, self._deadline))
        return job

    async def wait(self, id: str, timeout: Optional[float] = None) -> job_pb2.Job:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = max(0.0, _POLL_SECONDS if until is None else min(_POLL_SECONDS, until - time.monotonic()))
            request = job_service_pb2.WaitJobRequest(id=id, timeout=duration(left))
            job = await self._call(self._jobs.WaitJob, request, deadline=left + self._deadline,
                                   attempts=WAIT_ATTEMPTS)
            if job.state in TERMINAL:
                return await self._with_result(job)
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(f"job {id} has not ended in {timeout} s")

    async def watch(self, *, job_id: str = "", filter: str = "",
                    include_log: bool = False) -> AsyncIterator[job_service_pb2.JobEvent]:
        request = job_service_pb2.WatchJobsRequest(job_id=job_id, filter=filter, include_log=include_log)
        call = self._jobs.WatchJobs(request, metadata=self._metadata)
        try:
            async for event in call:
                yield event
        except grpc.RpcError as error:
            raise from_rpc(error) from None
        finally:
            call.cancel()

    async def cancel(self, id: str, reason: str = "") -> job_pb2.Job:
        request = job_service_pb2.CancelJobRequest(id=id, reason=reason)
        return await self._call(self._jobs.CancelJob, request, attempts=1)

    async def list_workers(self, *, kind: str = "") -> list[worker_service_pb2.Worker]:
        request = worker_service_pb2.ListWorkersRequest(kind=kind)
        workers: list[worker_service_pb2.Worker] = []
        while True:
            page = await self._call(self._workers.ListWorkers, request)
            workers.extend(page.workers)
            request.page_token = page.next_page_token
            if not request.page_token:
                return workers

    async def get_worker(self, worker: str) -> worker_service_pb2.Worker:
        return await self._call(self._workers.GetWorker, worker_service_pb2.GetWorkerRequest(worker=worker))

    async def drain_worker(self, worker: str) -> worker_service_pb2.Worker:
        return await self._call(self._workers.DrainWorker, worker_service_pb2.DrainWorkerRequest(worker=worker))

    async def resume_worker(self, worker: str) -> worker_service_pb2.Worker:
        return await self._call(self._workers.ResumeWorker, worker_service_pb2.ResumeWorkerRequest(worker=worker))

    async def _call(self, method: Any, request: Any, *, deadline: Optional[float] = None,
                    attempts: int = _ATTEMPTS, busy: str = "") -> Any:
        for attempt in range(1, attempts + 1):
            try:
                return await method(request, timeout=deadline or self._deadline, metadata=self._metadata)
            except grpc.RpcError as error:
                ours = from_rpc(error)
                again = ours.code == grpc.StatusCode.UNAVAILABLE or (busy and ours.reason == busy)
                if not again or attempt == attempts:
                    raise ours from None
            await asyncio.sleep(random.uniform(0, min(0.2 * 2**attempt, 5.0)))
