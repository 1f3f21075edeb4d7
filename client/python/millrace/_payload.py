"""Large payloads: their lease has only the size, and they are read apart."""
from __future__ import annotations

import concurrent.futures
import random
from typing import TYPE_CHECKING

import grpc

from ._errors import MillraceError, from_rpc
from ._values import seconds_for
from .v1 import worker_service_pb2 as pb

if TYPE_CHECKING:
    from ._attempt import Attempt
    from ._worker import Worker

SECONDS_LEAST = 60.0
PAUSE_LEAST, PAUSE_MOST = 0.2, 5.0
AWAY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED}


def read_payload(worker: "Worker", attempt: "Attempt") -> bytes:
    """On a thread of the handlers: it waits, also through an absence of the daemon, while the attempt is held.
    CancelledError: the attempt was cancelled, or is not the worker's any more."""
    request = pb.ReadPayloadRequest(ref=attempt.lease.ref)
    pause = PAUSE_LEAST
    while True:
        with worker._lock:
            # A daemon that has not heard what this worker holds may take the attempt for lost.
            worker._changed.wait_for(lambda: attempt.cancelled or worker._is_welcome())
            if attempt.cancelled:
                raise concurrent.futures.CancelledError()
            call = attempt._call = worker._stub.ReadPayload(
                request, timeout=seconds_for(attempt.lease.payload_bytes, SECONDS_LEAST))
        try:
            data = b"".join(piece.data for piece in call)
        except grpc.RpcError as error:
            refused = from_rpc(error)
        else:
            if len(data) != attempt.lease.payload_bytes:
                raise RuntimeError(f"the payload has {attempt.lease.payload_bytes} bytes, and {len(data)} came")
            return data
        finally:
            attempt._call = None
        if refused.reason == "LEASE_LOST":
            with worker._lock:
                worker._drop(attempt)
            raise concurrent.futures.CancelledError()
        if refused.code not in AWAY and refused.reason != "SERVER_BUSY":
            raise MillraceError(refused.code, f"the payload cannot be read: {refused}", refused.reason)
        attempt.wait_cancelled(random.uniform(pause / 4, pause))
        pause = min(2 * pause, PAUSE_MOST)
