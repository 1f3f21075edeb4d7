"""How a worker runs its attempts: plain handlers on threads, `async def` ones on its loop."""
from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING, Any, Optional

from ._attempt import Attempt
from ._handler import Handler
from ._outcome import fill_end
from ._payload import read_payload
from ._result import is_large, write_result
from ._values import to_bytes
from .v1 import worker_service_pb2 as pb

if TYPE_CHECKING:
    from ._worker import Worker


def begin(worker: "Worker", attempt: Attempt, pool: concurrent.futures.Executor) -> None:
    handler = worker._handlers.get(attempt.lease.kind)
    if handler is not None and handler.is_async:
        worker._loop.call_soon_threadsafe(_begin_async, worker, handler, attempt, pool)
    else:
        task = pool.submit(_run_plain, worker, handler, attempt)
        task.add_done_callback(lambda done: _ended(worker, attempt, done))


async def await_handlers(worker: "Worker") -> None:
    """They were told to stop, and end first; then whatever they have left on the loop is cancelled."""
    if worker._tasks:
        await asyncio.wait(set(worker._tasks))
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        each.cancel()
    if others:
        await asyncio.wait(others, timeout=5)


def _run_plain(worker: "Worker", handler: Optional[Handler], attempt: Attempt) -> bytes:
    if handler is None:  # A daemon that is not broken gives what was offered.
        raise LookupError(f"this worker has no handler for the kind {attempt.lease.kind!r}")
    if attempt._unread:
        attempt._payload = read_payload(worker, attempt)
    result = to_bytes(handler.call(attempt))
    attempt._unwritten = is_large(worker, result)
    return write_result(worker, attempt, result) if attempt._unwritten else result


def _begin_async(worker: "Worker", handler: Handler, attempt: Attempt, pool: concurrent.futures.Executor) -> None:
    """On the loop."""
    task = worker._loop.create_task(_run_async(worker, handler, attempt, pool))
    worker._tasks.add(task)
    task.add_done_callback(worker._tasks.discard)
    task.add_done_callback(lambda done: _ended(worker, attempt, done))
    with worker._lock:
        attempt._task = task
        if attempt.cancelled:  # Before it had a task to cancel.
            task.cancel()


async def _run_async(worker: "Worker", handler: Handler, attempt: Attempt, pool: concurrent.futures.Executor) -> bytes:
    try:
        if attempt._unread:
            attempt._payload = await worker._loop.run_in_executor(pool, read_payload, worker, attempt)
        result = to_bytes(await handler.call(attempt))
        attempt._unwritten = is_large(worker, result)
        if not attempt._unwritten:
            return result
        if attempt.cancelled:  # The pool may be closed by now.
            raise asyncio.CancelledError()
        return await worker._loop.run_in_executor(pool, write_result, worker, attempt, result)
    except (SystemExit, KeyboardInterrupt) as error:
        # asyncio would end the loop, and with it every other attempt.
        raise RuntimeError(f"the handler raised {type(error).__name__}") from error


def _ended(worker: "Worker", attempt: Attempt, task: Any) -> None:
    end = pb.AttemptEnd(ref=attempt.lease.ref)
    try:
        fill_end(end, task)
    except BaseException as error:  # Such as an exception that cannot be shown. The attempt has ended all the same.
        end.failure.error = f"the handler's outcome cannot be told: {type(error).__name__}"
    with worker._lock:
        worker._busy -= attempt._slots
        worker._running[attempt.lease.kind] -= 1
        # What did not begin before the end of a drain has not failed, nor what has a result that the daemon does not
        # have: the goodbye gives it back.
        if not attempt._dropped and not (worker._give_up and (attempt._unread or attempt._unwritten)):
            attempt._end = end
            worker._to_tell.append(attempt)
        worker._changed.notify_all()
