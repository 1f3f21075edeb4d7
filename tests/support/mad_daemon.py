"""A daemon that says anything to a worker, and is sane then: the worker must survive, lose no slot, keep nothing of
what it was told, and run good jobs.

    mad_daemon.py COMMAND...     the worker; the address of the daemon is added to it. It offers the kinds `work` and
                                 `wide` (which takes 2 slots), has 4 slots, and answers `work` with "done " and the
                                 payload. SIGTERM ends it.

The seed is drawn for each run and printed; MILLRACE_SEED repeats it, as far as threads let one.
"""
import concurrent.futures
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2
from millrace.v1 import worker_service_pb2 as pb

SLOTS = 4
MAD_STREAMS = 30
GOOD_JOBS = 30
PATIENCE = 60  # Seconds; only catches a hang.
INT32, INT64 = (-2**31, 2**31 - 1), (-2**63, 2**63 - 1)
_varint = lambda value: bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


def change(at_random, data):
    """The bytes of a message, not quite as they were."""
    data = bytearray(data)
    place = at_random.randrange(len(data) + 1)
    what = at_random.randrange(6)
    if what == 0 and data:
        for _ in range(at_random.randint(1, 4)):
            data[at_random.randrange(len(data))] ^= 1 << at_random.randrange(8)
    elif what == 1:
        del data[place:]
    elif what == 2:
        data[place:place] = at_random.randbytes(at_random.randint(1, 16))
    elif what == 3:
        data += data[place:]  # Fields twice, and half of one.
    elif what == 4:
        field = at_random.choice([1, 2, 3, 4, 8, 15, 16, 1000, 2**29 - 1]) << 3 | at_random.choice([0, 1, 2, 5])
        data += _varint(field) + at_random.randbytes(at_random.randint(0, 12))
    else:
        data = at_random.randbytes(at_random.randrange(200))
    return bytes(data)


class Madness:
    """What is said on one stream."""

    def __init__(self, seed, hello):
        self._random = random.Random(seed)
        self._held = [each.ref for each in hello.held]

    def _one_in(self, n):
        return self._random.randrange(n) == 0

    def speech(self, clean):
        """The messages, and whether the stream ends then."""
        ends = not clean or self._one_in(2)
        welcome = pb.WorkResponse()
        self._add_welcome(welcome, clean)
        messages = [welcome.SerializeToString()]
        for _ in range(self._random.randrange(12)):
            response = pb.WorkResponse()
            for _ in range(self._random.randint(1, 3)):
                self._add(response, ends)
            messages.append(response.SerializeToString())
            if ends and self._one_in(4):
                messages[-1] = change(self._random, messages[-1])
                break  # The worker may read nothing more.
        return messages, ends

    def end(self, context):
        """As any status, with details that may be none."""
        codes = [each for each in grpc.StatusCode if each is not grpc.StatusCode.OK]
        code = self._random.choice([grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE, *codes])
        if code is grpc.StatusCode.OK:
            return
        details = status_pb2.Status(code=self._random.choice([code.value[0], 0, *INT32]))
        reason = self._random.choice(["LEASE_LOST", "SESSION_REPLACED", "BAD_WORKER", "SERVER_BUSY", ""])
        details.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
        details.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=self._time()))
        data = details.SerializeToString()
        if self._one_in(2):
            data = change(self._random, data)
        context.set_code(code)
        context.set_details("mad")
        context.set_trailing_metadata([("grpc-status-details-bin", data)])

    def payload(self):
        return [pb.ReadPayloadResponse(data=self._random.randbytes(self._random.randrange(1000))).SerializeToString()
                for _ in range(self._random.randrange(4))]

    def _time(self):
        return duration_pb2.Duration(seconds=self._random.choice([0, 0, 1, -1, 315_576_000_000, *INT64]),
                                     nanos=self._random.choice([0, 20_000_000, -1, *INT32]))

    def _ref(self):
        ref = pb.AttemptRef(job_id=f"mad {self._random.randrange(10)}", token=self._random.randrange(4))
        if self._held and self._one_in(2):
            ref.CopyFrom(self._random.choice(self._held))
        if self._one_in(8):
            ref.attempt = self._random.choice([0, -1, *INT32])
        if self._one_in(8):
            ref.token = self._random.choice([0, 2**63, 2**64 - 1])
        if self._one_in(16):
            ref.job_id = ""
        return ref

    def _add_welcome(self, to, clean):
        welcome = to.welcome
        welcome.heartbeat_interval.nanos = 20_000_000
        welcome.lease.seconds = 3600
        welcome.server_version = self._random.choice(["mad", "", "x" * 1000])
        welcome.capabilities.extend(
            each for each in ("checkpoint", "costs", "payload_ref", "unknown", "") if self._one_in(2))
        if not clean:
            welcome.heartbeat_interval.CopyFrom(self._time())
            welcome.lease.CopyFrom(self._time())
            welcome.protocol = self._random.choice([0, 1, -1, *INT32])
            welcome.lost.extend(self._held[::2])
            welcome.kept.add().CopyFrom(self._ref())

    def _add_lease(self, to):
        lease = to.leases.add(kind=self._random.choice(["work", "work", "wide", "unknown", ""]))
        if not self._one_in(16):
            lease.ref.CopyFrom(self._ref())
        if self._one_in(2):
            lease.payload = self._random.randbytes(self._random.choice([1, 100, 100_000]))
        if self._one_in(4):
            lease.payload_bytes = self._random.choice([1, 100, -1, *INT64])
        if self._one_in(4):
            lease.checkpoint = self._random.randbytes(self._random.choice([1, 100_000]))
        if self._one_in(4):
            lease.run_timeout.CopyFrom(self._time())
        lease.losses = self._random.choice([0, -1, *INT32])
        if self._one_in(4):
            to.leases.add().CopyFrom(lease)  # Twice in one message.

    def _add(self, to, ends):
        what = self._random.randrange(13)
        if what == 0:
            to.stops.add(reason="CANCELLED").ref.CopyFrom(self._ref())
        elif what == 1:
            to.revoked.add().ref.CopyFrom(self._ref())
        elif what == 2:
            to.acked.add().CopyFrom(self._ref())
        elif what == 3:
            to.heartbeat_ack.sequence = self._random.choice([0, -1, *INT64])
        elif what == 4:
            to.drain.why = self._random.randrange(7)
            to.drain.reconnect_after.CopyFrom(self._time())
        elif what == 5:
            error = to.errors.add(reason=self._random.choice(["LEASE_LOST", "", "OTHER"]), message="mad")
            error.ref.CopyFrom(self._ref())
        elif what == 6:
            for _ in range(200):
                to.acked.add().CopyFrom(self._ref())
                to.stops.add().ref.CopyFrom(self._ref())
        elif what == 7:
            to.stops.add()  # Of nothing.
            to.acked.add()
        elif what == 8 and ends:
            self._add_welcome(to, self._one_in(2))  # Once more.
        else:
            self._add_lease(to)


class MadDaemon(grpc.GenericRpcHandler):
    def __init__(self, seed):
        self._seed = seed
        self._changed = threading.Condition()
        self._streams = self._reads = 0
        self._jobs = 0
        self.results = {}
        self.free = self.held = None  # Of the worker, as it says to the sane daemon.

    def service(self, details):
        if details.method == "/millrace.v1.WorkerService/Work":
            return grpc.stream_stream_rpc_method_handler(self._work)
        if details.method == "/millrace.v1.WorkerService/ReadPayload":
            return grpc.unary_stream_rpc_method_handler(self._read_payload)
        return None

    def wait_for(self, condition, what, worker):
        until = time.monotonic() + PATIENCE
        with self._changed:
            while not condition():
                assert worker.poll() is None, f"the worker has ended, with exit code {worker.returncode}"
                assert time.monotonic() < until, (
                    f"waited in vain for {what}: {self._streams} streams, {len(self.results)} results, {self.free} "
                    f"slots are free, {self.held} attempts are held")
                self._changed.wait(0.1)

    def _read_payload(self, _, context):
        with self._changed:
            self._reads += 1
            mad = self._streams <= MAD_STREAMS
            madness = Madness(f"{self._seed} read {self._reads}", pb.WorkerHello())
        if mad:
            yield from madness.payload()
            return madness.end(context)
        details = status_pb2.Status(code=9)
        details.details.add().Pack(error_details_pb2.ErrorInfo(reason="LEASE_LOST"))
        context.set_code(grpc.StatusCode.FAILED_PRECONDITION)
        context.set_trailing_metadata([("grpc-status-details-bin", details.SerializeToString())])

    def _work(self, requests, context):
        hello = pb.WorkRequest.FromString(next(requests)).hello
        with self._changed:
            self._streams += 1
            number = self._streams
            self._changed.notify_all()
        if number <= MAD_STREAMS:
            madness = Madness(f"{self._seed} stream {number}", hello)
            # A worker that was never welcome may end for good, so the first stream is clean.
            messages, ends = madness.speech(clean=number == 1 or number % 2 == 0)
            yield from messages
            if not ends:
                pb.WorkRequest.FromString(next(requests, b""))  # It is there still, and says what can be read.
            return madness.end(context)
        yield self._welcome(hello)
        given = 0
        for data in requests:
            said = pb.WorkRequest.FromString(data)
            response, given = self._hear(said, given)
            if response.ByteSize():
                yield response.SerializeToString()
            if said.goodbye:
                return

    @staticmethod
    def _welcome(hello):
        response = pb.WorkResponse()
        response.welcome.heartbeat_interval.nanos = 50_000_000
        response.welcome.lease.seconds = 3600
        response.welcome.capabilities.extend(["payload_ref", "checkpoint", "costs"])
        # What it still runs it was never given.
        response.welcome.lost.extend(
            each.ref for each in hello.held if each.state != pb.HeldAttempt.STATE_ENDED_UNACKED)
        return response.SerializeToString()

    def _hear(self, said, given):
        response = pb.WorkResponse()
        with self._changed:
            for end in said.ended:
                response.acked.add().CopyFrom(end.ref)
                if end.ref.job_id.startswith("good "):
                    self.results[end.ref.job_id] = end.result or end.failure.error.encode()
            if said.HasField("credit"):
                self.free = said.credit.slots_granted_total - given
            while self.free and self._jobs < GOOD_JOBS:
                self._jobs += 1
                given += 1
                self.free -= 1
                lease = response.leases.add(kind="work", payload=b"payload")
                lease.ref.CopyFrom(pb.AttemptRef(job_id=f"good {self._jobs}", attempt=1, token=1000))
            if said.HasField("heartbeat"):
                response.heartbeat_ack.sequence = said.heartbeat.sequence
                if said.heartbeat.HasField("held"):
                    self.held = len(said.heartbeat.held.refs)
            self._changed.notify_all()
        return response, given


def play(seed, command):
    daemon = MadDaemon(seed)
    threads = concurrent.futures.ThreadPoolExecutor(64)
    server = grpc.server(threads, handlers=[daemon])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    worker = subprocess.Popen([*command, f"127.0.0.1:{port}"])
    try:
        daemon.wait_for(lambda: len(daemon.results) == GOOD_JOBS, "the ends of the good jobs", worker)
        assert set(daemon.results.values()) == {b"done payload"}, f"not what a worker says: {daemon.results}"
        daemon.wait_for(lambda: daemon.free == SLOTS, "all slots of the worker", worker)
        daemon.wait_for(lambda: daemon.held == 0, "a heartbeat that says that it holds nothing", worker)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE) == 0, f"the worker did not end in good order: exit code {worker.returncode}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        worker.wait()
        server.stop(None)


if __name__ == "__main__":
    chosen = os.environ.get("MILLRACE_SEED") or str(random.SystemRandom().randrange(2**32))
    print(f"mad_daemon: MILLRACE_SEED={chosen}", flush=True)
    try:
        play(chosen, sys.argv[1:])
    except AssertionError as error:
        sys.exit(print(f"mad_daemon: {error}") or 1)
