"""Large results: no message holds them, and they are written apart, in pieces."""
from __future__ import annotations

import concurrent.futures
import random
from typing import TYPE_CHECKING, Iterator

import grpc

from ._errors import from_rpc
from ._outcome import DoNotRetry, ResultRefused
from ._payload import AWAY, PAUSE_LEAST, PAUSE_MOST, SECONDS_LEAST
from ._values import seconds_for
from .v1 import worker_service_pb2 as pb

if TYPE_CHECKING:
    from ._attempt import Attempt
    from ._worker import Worker

_MESSAGE_BYTES = 1 << 20  # Of a result that is told like any other end.
_PIECE_BYTES = 256 << 10


def is_large(worker: "Worker", result: bytes) -> bool:
    """Whether it is to be written apart. DoNotRetry: the daemon does not take so much."""
    if len(result) <= _MESSAGE_BYTES:
        return False
    with worker._lock:
        most = max(worker._daemon.result_bytes_max, _MESSAGE_BYTES)
    if len(result) > most:
        raise DoNotRetry(f"the result has {len(result)} bytes, and {most} are the limit (result_bytes_max of the "
                         "daemon's configuration); store it elsewhere and return a reference")
    return True


def write_result(worker: "Worker", attempt: "Attempt", result: bytes) -> bytes:
    """On a thread of the handlers: it waits, also through an absence of the daemon, while the attempt is held. Then the
    attempt has ended, nothing more is told of it, and what is returned does not count. CancelledError: the attempt was
    cancelled, or is not the worker's any more."""
    key = worker._key_of(attempt.lease.ref)
    pause = PAUSE_LEAST

    def is_over() -> bool:
        # An end may be acknowledged on the stream before the call is answered, and the attempt is not held then.
        return attempt.cancelled or key not in worker._held

    while True:
        with worker._lock:
            # A daemon that has not heard what this worker holds may take the attempt for lost. And what the handler
            # showed goes before, as nothing is added to an attempt that has ended.
            worker._changed.wait_for(lambda: is_over() or (worker._is_welcome() and not worker._has_unsent(attempt)))
            if is_over():
                return _over(worker, attempt)
            call = attempt._call = worker._stub.WriteResult.future(
                _pieces(attempt.lease.ref, result), timeout=seconds_for(len(result), SECONDS_LEAST))
        code = call.code()  # Waits for the end of the call.
        attempt._call = None
        refused = from_rpc(call) if code != grpc.StatusCode.OK else None
        with worker._lock:
            if refused is None:
                worker._forget(attempt)
                return b""
            if is_over():
                return _over(worker, attempt)
            if refused.reason == "LEASE_LOST":
                worker._drop(attempt)
                raise concurrent.futures.CancelledError()
            if code not in AWAY and refused.reason != "SERVER_BUSY":
                attempt._unwritten = False
                kind = DoNotRetry if refused.reason == "RESULT_TOO_LARGE" else ResultRefused
                raise kind(f"cannot write the result: {refused}")
            worker._changed.wait_for(is_over, random.uniform(pause / 4, pause))
        pause = min(2 * pause, PAUSE_MOST)


def _over(worker: "Worker", attempt: "Attempt") -> bytes:
    if attempt.cancelled:
        raise concurrent.futures.CancelledError()
    worker._forget(attempt)
    return b""


def _pieces(ref: pb.AttemptRef, result: bytes) -> Iterator[pb.WriteResultRequest]:
    """On a thread of gRPC's, which asks for the next one when there is room for it."""
    yield pb.WriteResultRequest(ref=ref, bytes=len(result))
    for begin in range(0, len(result), _PIECE_BYTES):
        yield pb.WriteResultRequest(data=result[begin:begin + _PIECE_BYTES])
