"""One attempt, as its handler sees it."""
from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Optional

from ._values import proto_text
from .v1 import worker_service_pb2 as pb

if TYPE_CHECKING:
    from ._worker import Worker

_LOG_BYTES = 256 << 10
_CHECKPOINT_BYTES = 64 << 10


class Attempt:
    """One attempt, for its handler. Threads may share it until the handler has returned."""

    def __init__(self, worker: "Worker", lease: pb.Lease, slots: int):
        self._worker = worker
        self.lease = lease
        self._slots = slots  # What it takes of the worker's.
        self._payload = lease.payload
        self._cancelled = threading.Event()
        self._dropped = False  # It is not the worker's any more.
        self._end: Optional[pb.AttemptEnd] = None
        self._output: Optional[pb.AttemptOutput] = None
        self._saved: Optional[bytes] = None  # The newest checkpoint, for the next stream as well.
        self._task: Optional[asyncio.Task] = None
        self._call: Any = None  # It reads its payload, or writes its result.
        self._unwritten = False  # Its handler has returned a large result, which the daemon does not have.

    @property
    def job_id(self) -> str:
        return self.lease.ref.job_id

    @property
    def number(self) -> int:
        return self.lease.ref.attempt

    @property
    def payload(self) -> bytes:
        return self._payload

    @property
    def labels(self) -> dict[str, str]:
        return dict(self.lease.labels)

    @property
    def checkpoint(self) -> bytes:
        """What an earlier attempt of the job saved; empty where none did."""
        return self.lease.checkpoint

    @property
    def cancelled(self) -> bool:
        """It was cancelled, took too long, or is somebody else's by now: what the handler returns decides nothing."""
        return self._cancelled.is_set()

    def wait_cancelled(self, timeout: Optional[float] = None) -> bool:
        return self._cancelled.wait(timeout)

    def progress(self, fraction: float, message: str = "") -> None:
        with self._worker._lock:
            output = self._worker._output_of(self)
            if output is not None:
                output.progress.fraction = fraction
                output.progress.message = proto_text(message)

    def log(self, text: str) -> None:
        """Appends to the job's log. Waits while the connection takes no more."""
        data = text.encode(errors="replace")[-_LOG_BYTES:]
        worker = self._worker
        with worker._lock:
            worker._changed.wait_for(lambda: worker._log_bytes < _LOG_BYTES or self.cancelled)
            output = worker._output_of(self) if worker._log_bytes < _LOG_BYTES else None
            if output is not None:
                output.log += data
                worker._log_bytes += len(data)

    def save_checkpoint(self, data: bytes) -> None:
        """The job's next attempt has it as its `checkpoint`, whatever becomes of this one. The newest counts, and an
        empty one takes it away. ValueError: it has more than 64 KiB. MillraceError CHECKPOINT_UNSUPPORTED: the daemon
        is older than checkpoints, and would lose it."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"a checkpoint is bytes, and not {type(data).__name__}")
        data = bytes(data)
        if len(data) > _CHECKPOINT_BYTES:
            raise ValueError(f"the checkpoint has {len(data)} bytes, and 64 KiB is the limit; store it elsewhere and "
                             "save a reference")
        worker = self._worker
        with worker._lock:
            if not worker._daemon.keeps_checkpoints:
                raise worker._daemon.checkpoint_error()
            if not self._dropped and self._end is None:
                self._saved = data
                worker._to_save[self] = None
                worker._changed.notify_all()

    @property
    def _unread(self) -> bool:
        """Its payload is to be read apart, and has not come."""
        return self.lease.payload_bytes > 0 and not self._payload

    def _cancel(self) -> None:
        if self._cancelled.is_set():
            return  # A second one would end what the handler does after the first.
        self._cancelled.set()
        call = self._call  # Its thread takes it away without the lock.
        if call is not None:
            call.cancel()
        if self._task is not None:
            self._worker._loop.call_soon_threadsafe(self._task.cancel)
