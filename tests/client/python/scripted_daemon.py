"""A daemon that answers calls for large results as a test wants. It gives each of its leases to one worker, and has no
more sense than that."""
import concurrent.futures
import queue
import threading
import time

import grpc
from google.rpc import error_details_pb2, status_pb2
from millrace.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc, worker_service_pb2_grpc
from millrace.v1 import worker_service_pb2 as pb

PATIENCE = 60.0  # Seconds; only catches a hang.


def refuse(context, code, reason, message):
    details = status_pb2.Status(code=code.value[0], message=message)
    details.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    context.set_trailing_metadata([("grpc-status-details-bin", details.SerializeToString())])
    context.abort(code, message)


class ScriptedDaemon(worker_service_pb2_grpc.WorkerServiceServicer, job_service_pb2_grpc.JobServiceServicer):
    """write_result(requests, context) and read_result(context), a generator, are the test's. All else is guarded by
    `changed`."""

    def __init__(self, *kinds, result_bytes_max=8 << 20, heartbeat=5.0):
        self.write_result = self.read_result = None
        self.changed = threading.Condition()
        self.ended, self.hellos, self.logs = {}, [], {}
        self.held = None  # By the worker's last heartbeat that told: the ids of jobs.
        self.goodbye = False
        self.beats = 0
        self.job = job_pb2.Job()
        self._welcome = pb.WorkerWelcome(capabilities=["payload_ref", "checkpoint", "costs"],
                                         result_bytes_max=result_bytes_max)
        self._welcome.heartbeat_interval.FromNanoseconds(int(heartbeat * 1e9))
        self._welcome.lease.seconds = 3600
        self._untaken = {f"job {i + 1}": kind for i, kind in enumerate(kinds)}
        self._said = self._stream = None  # Of the newest stream.
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
        worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(self, self._server)
        job_service_pb2_grpc.add_JobServiceServicer_to_server(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self):
        self._server.stop(None).wait(PATIENCE)

    def seen(self, condition):
        with self.changed:
            if not self.changed.wait_for(condition, PATIENCE):
                raise AssertionError("waited in vain")

    def say_until(self, condition, **words):
        """Once more for each stream that a worker opens meanwhile."""
        until = time.monotonic() + PATIENCE
        with self.changed:
            while True:
                self._said.put(pb.WorkResponse(**words))
                said_to = self._said
                self.changed.wait_for(lambda: condition() or self._said is not said_to, PATIENCE)
                if condition():
                    return
                if time.monotonic() > until:
                    raise AssertionError("waited in vain")

    def cut(self):
        """The stream of the worker."""
        self._stream.cancel()

    # ---- What workers and clients call

    def Work(self, requests, context):
        hello = next(requests).hello
        said = queue.SimpleQueue()
        with self.changed:
            self._said, self._stream = said, context
            self.hellos.append(hello)
            self.changed.notify_all()
        yield pb.WorkResponse(welcome=self._welcome)
        threading.Thread(target=self._listen, args=(requests, said)).start()
        yield from iter(said.get, None)

    def _listen(self, requests, said):
        given = set()
        try:
            for request in requests:
                response = pb.WorkResponse()
                with self.changed:
                    self._hear(request, response, given)
                    self.changed.notify_all()
                said.put(response)
        except Exception:  # However the stream ends.
            pass
        said.put(None)

    def _hear(self, request, response, given):
        for ref in request.accepted:
            self._untaken.pop(ref.job_id, None)
        for output in request.outputs:
            self.logs[output.ref.job_id] = self.logs.get(output.ref.job_id, b"") + output.log
        for end in request.ended:
            self.ended[end.ref.job_id] = end
            response.acked.append(end.ref)
        for job, kind in self._untaken.items():
            if len(given) < request.credit.slots_granted_total and job not in given:
                given.add(job)
                response.leases.add(kind=kind, ref=pb.AttemptRef(job_id=job, attempt=1, token=7))
        if request.HasField("heartbeat"):
            self.beats += 1
            response.heartbeat_ack.sequence = request.heartbeat.sequence
            if request.heartbeat.HasField("held"):
                self.held = {ref.job_id for ref in request.heartbeat.held.refs}
        self.goodbye |= request.goodbye

    def WriteResult(self, requests, context):
        self.write_result(requests, context)
        return pb.WriteResultResponse()

    def GetJob(self, request, context):
        return self.job

    def WaitJob(self, request, context):
        return self.job

    def ReadResult(self, request, context):
        for data in self.read_result(context):
            yield job_service_pb2.ReadResultResponse(data=data)
