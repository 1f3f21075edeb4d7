"""The worker: runs jobs in this process."""
from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import logging
import os
import random
import secrets
import signal
import socket
import threading
import time
from typing import Any, Callable, Iterator, Mapping, Optional

import grpc

from ._attempt import Attempt
from ._errors import MillraceError, from_rpc
from ._handler import Handler
from ._running import await_handlers, begin
from ._skew import Daemon
from ._values import duration, seconds_of
from .v1 import worker_service_pb2 as pb
from .v1 import worker_service_pb2_grpc

_log = logging.getLogger("millrace")
_REQUEST_BYTES = 1 << 20
# Tried again as soon as the worker tries: its leases wait.
_CHANNEL = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1000), ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_http_proxy", 0)]
_PAUSE_LEAST, _PAUSE_MOST = 0.2, 30.0


class Worker:
    """Takes jobs from a daemon and runs them, in `slots` at a time, until it is stopped.

    Plain handlers run on threads, `async def` ones on one event loop; heartbeats come from a thread of their own. run()
    connects for ever. What runs goes on while the connection is away, and its end is told until the daemon has written
    it down. SIGTERM (or stop()) lets running handlers end, for `drain_timeout` seconds at most, and gives back the rest.
    """

    def __init__(self, address: str = "127.0.0.1:7070", *, slots: int = 1, name: str = "",
                 labels: Optional[Mapping[str, str]] = None, build_id: str = "", drain_timeout: float = 30.0):
        """labels: what jobs may `require` or `prefer`; `worker` (the name) and `build` (build_id) are such as well."""
        self._address = address
        self._slots = slots
        self._name = name
        self._labels = dict(labels or {})
        self._build_id = build_id
        self._drain_timeout = drain_timeout
        self._key = b""  # Drawn by run(): a process that was forked is another worker.
        self._ran = False
        self._handlers: dict[str, Handler] = {}
        # All of what follows is guarded by the lock.
        self._lock = threading.RLock()  # A future that is done calls back at once.
        self._changed = threading.Condition(self._lock)
        self._held: dict[tuple[str, int], Attempt] = {}
        self._to_tell: list[Attempt] = []
        self._to_save: dict[Attempt, None] = {}  # Their checkpoints are new; an ordered set.
        self._outbox = pb.WorkRequest()
        self._shown: list[Attempt] = []
        self._on_its_way: set[Attempt] = set()  # Shown by the message that gRPC is writing.
        self._log_bytes = 0
        self._busy = 0  # Slots of what was given to a thread or to the loop, and has not returned.
        self._running: collections.Counter[str] = collections.Counter()  # Of the same, how many of each kind.
        self._daemon = Daemon()  # The one that said welcome last.
        self._received = self._granted = self._beats = 0
        self._call: Any = None
        self._stub: Any = None
        self._id = ""
        self._drained = False
        self._welcome = self._ever_welcome = self._healthy = False
        self._idle = False  # It held nothing when the daemon was heard of last. Nothing comes but with its words.
        self._interval, self._lease = 5.0, 0.0
        self._last_word = self._last_beat = self._last_contact = 0.0
        self._draining = self._said_draining = self._said_goodbye = self._give_up = self._over = False
        self._drain_until = 0.0
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._tasks: set[asyncio.Task] = set()  # The loop's.

    # ---- For the program

    def handler(self, kind: str, *, raw: bool = False, slots: int = 1,
                at_once_max: Optional[int] = None,
                beat_within: Optional[float] = None) -> Callable[[Callable], Callable]:
        """Decorates the function that runs jobs of a kind. It gets the fields of the JSON payload as arguments, or with
        raw=True the payload as bytes; and the Attempt, where a parameter is named `attempt` or annotated so. An attempt
        takes `slots` of the worker's; at most `at_once_max` of the kind are given to the worker at once. One that
        shows nothing (progress, log, checkpoint) for `beat_within` seconds is stopped as one that takes too long."""

        def register(function: Callable) -> Callable:
            offer = pb.KindOffer(kind=kind, slots=slots, at_once_max=at_once_max,
                                 beat_within=None if beat_within is None else duration(beat_within))
            self._handlers[kind] = Handler(function, raw, offer)
            return function

        return register

    def stop(self) -> None:
        """From any thread. run() returns when all has ended in good order."""
        with self._lock:
            if not self._draining:
                self._draining = True
                self._drain_until = time.monotonic() + self._drain_timeout
            self._changed.notify_all()

    @property
    def healthy(self) -> bool:
        """The daemon has welcomed this worker, and was heard of within an interval of the last heartbeat."""
        with self._lock:
            return self._healthy and time.monotonic() - self._last_word < self._period() + self._interval

    @property
    def id(self) -> str:
        """How operators call this worker, once the daemon has welcomed it."""
        with self._lock:
            return self._id

    @property
    def drained(self) -> bool:
        """An operator has drained it: it goes on with what it has, and gets no more until it is resumed."""
        with self._lock:
            return self._drained

    def run(self, *, handle_signals: Optional[bool] = None) -> None:
        """Once. Until it is stopped. handle_signals: SIGTERM and SIGINT stop it; by default where this is the main thread.
        MillraceError: what the daemon holds against this worker, before it was ever welcome."""
        with self._lock:
            if self._ran:
                raise RuntimeError("a Worker runs once; make another one")
            self._ran = True
        self._key = secrets.token_bytes(16)
        self._name = self._name or f"{socket.gethostname()}/{os.getpid()}"
        main = threading.current_thread() is threading.main_thread()
        with contextlib.ExitStack() as stack:
            if handle_signals or (handle_signals is None and main):
                for each in (signal.SIGTERM, signal.SIGINT):
                    # The lock may be this thread's own just now, so another one takes it.
                    before = signal.signal(each, lambda *_: threading.Thread(target=self.stop).start())
                    stack.callback(signal.signal, each, before)
            if any(each.is_async for each in self._handlers.values()):
                self._loop = asyncio.new_event_loop()
                loop_thread = threading.Thread(target=self._loop.run_forever, name="millrace-loop", daemon=True)
                loop_thread.start()
                stack.callback(self._loop.close)
                stack.callback(loop_thread.join)
                stack.callback(self._loop.call_soon_threadsafe, self._loop.stop)
                # Handlers that were told to stop end first.
                stack.callback(lambda: asyncio.run_coroutine_threadsafe(await_handlers(self), self._loop).result())
            pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor(self._slots, "millrace"))
            watch = threading.Thread(target=self._watch, name="millrace-watch", daemon=True)
            watch.start()
            try:
                self._connect(pool)
            finally:
                with self._lock:
                    self._over = True
                    for attempt in list(self._held.values()):
                        self._drop(attempt)
                    self._changed.notify_all()
                watch.join()

    # ---- Under the lock

    @staticmethod
    def _key_of(ref: pb.AttemptRef) -> tuple[str, int]:
        return ref.job_id, ref.token

    def _output_of(self, attempt: Attempt) -> Optional[pb.AttemptOutput]:
        if attempt._dropped or attempt._end is not None:
            return None
        if attempt._output is None:
            attempt._output = self._outbox.outputs.add(ref=attempt.lease.ref)
            self._shown.append(attempt)
            self._changed.notify_all()
        return attempt._output

    def _close_outputs(self) -> None:
        for attempt in self._shown:
            attempt._output = None
        self._shown.clear()
        self._log_bytes = 0

    def _has_unsent(self, attempt: Attempt) -> bool:
        """Something that its handler showed."""
        return attempt._output is not None or attempt in self._to_save or attempt in self._on_its_way

    def _forget(self, attempt: Attempt) -> None:
        self._held.pop(self._key_of(attempt.lease.ref), None)
        attempt._dropped = True
        self._changed.notify_all()

    def _drop(self, attempt: Attempt) -> None:
        self._forget(attempt)
        attempt._cancel()

    def _drop_ref(self, ref: pb.AttemptRef) -> None:
        attempt = self._held.get(self._key_of(ref))
        if attempt is not None:
            self._drop(attempt)

    def _slots_of(self, kind: str) -> int:
        handler = self._handlers.get(kind)
        return max(handler.offer.slots, 1) if handler else 1

    def _grant(self) -> int:
        if self._draining:
            return 0
        free = self._slots - self._busy
        if not self._daemon.knows_costs:
            # It counts leases, whatever they take: each may be the largest, and all may be of one kind.
            offers = [each.offer for each in self._handlers.values()]
            free //= max((each.slots for each in offers if each.slots > 1), default=1)
            free = min([free, *(each.at_once_max - self._running[each.kind] for each in offers if each.at_once_max)])
        return self._received + free

    def _goodbye_is_due(self) -> bool:
        return self._draining and not self._said_goodbye and (
            not self._held or (self._give_up and not self._to_tell and not self._to_save))

    def _period(self) -> float:
        """Between heartbeats. Whoever holds nothing has no lease to keep alive: a third of them do."""
        return 3 * self._interval if self._idle else self._interval

    def _is_welcome(self) -> bool:
        return self._call is not None and self._welcome

    def _anything(self) -> bool:
        if self._call is None:
            return True
        return self._welcome and bool(
            self._grant() > self._granted or self._outbox.accepted or self._outbox.outputs or self._to_save or
            self._to_tell or (self._draining and not self._said_draining) or self._goodbye_is_due())

    # ---- One stream

    def _requests(self, call: dict) -> Iterator[pb.WorkRequest]:
        """On a thread of gRPC's: what there is to say, as it comes, and heartbeats."""
        yield call["hello"]
        while True:
            with self._lock:
                if self._call is call and self._on_its_way:  # gRPC has written it, so it asks for the next one.
                    self._on_its_way.clear()
                    self._changed.notify_all()
                self._changed.wait_for(self._anything, max(0.0, self._last_beat + self._period() - time.monotonic()))
                if self._call is not call:
                    return
                request = self._compose()
            if request is not None:
                yield request
                if request.goodbye:
                    return

    def _compose(self) -> Optional[pb.WorkRequest]:
        request = pb.WorkRequest()
        if self._welcome:
            request, self._outbox = self._outbox, request
            self._on_its_way.update(self._shown)
            self._close_outputs()
            size = 0
            # Before any end: what an attempt saved is kept only while it is the worker's.
            while self._to_save and size < _REQUEST_BYTES:
                attempt = next(iter(self._to_save))
                del self._to_save[attempt]
                if not attempt._dropped:
                    request.outputs.add(ref=attempt.lease.ref, checkpoint=attempt._saved)
                    self._on_its_way.add(attempt)
                    size += len(attempt._saved)
            while self._to_tell and size < _REQUEST_BYTES:
                attempt = self._to_tell.pop(0)
                if attempt._dropped:
                    continue
                request.ended.append(attempt._end)
                size += attempt._end.ByteSize()
            granted = self._grant()
            if granted > self._granted:
                self._granted = request.credit.slots_granted_total = granted
            if self._draining and not self._said_draining:
                self._said_draining = request.draining = True
            if self._goodbye_is_due():
                self._said_goodbye = request.goodbye = True
            self._changed.notify_all()  # Handlers may wait for the log.
        now = time.monotonic()
        if now - self._last_beat >= self._period():
            self._last_beat = now
            self._beats += 1
            request.heartbeat.sequence = self._beats
            if self._welcome and self._beats % (2 if self._idle else 6) == 0:  # Once in a lease.
                # Ends that are on their way are known; those that are not told yet are held still.
                untold = {id(each) for each in self._to_tell}
                request.heartbeat.held.refs.extend(
                    each.lease.ref for each in self._held.values() if not each._end or id(each) in untold)
                request.heartbeat.held.SetInParent()
        return request if request.ByteSize() else None

    def _hello(self) -> pb.WorkRequest:
        hello = pb.WorkerHello(worker=self._name, instance_key=self._key, sdk="python/0.1.0", build_id=self._build_id,
                               slots=self._slots, labels=self._labels, protocol_min=1, protocol_max=1,
                               capabilities=["payload_ref"])
        hello.kinds.extend(each.offer for each in self._handlers.values())
        for attempt in self._held.values():
            state = pb.HeldAttempt.STATE_ENDED_UNACKED if attempt._end else pb.HeldAttempt.STATE_RUNNING
            hello.held.add(ref=attempt.lease.ref, state=state)
        return pb.WorkRequest(hello=hello)

    def _run_stream(self, channel: grpc.Channel, pool: concurrent.futures.Executor) -> None:
        call: dict = {}
        with self._lock:
            self._received = self._granted = self._beats = 0
            self._welcome = self._idle = self._said_draining = False
            self._last_word = self._last_beat = time.monotonic()
            self._outbox = pb.WorkRequest()
            self._close_outputs()
            self._on_its_way.clear()
            # Ends that were not acknowledged are told again, and checkpoints, which are not acknowledged.
            self._to_save = {each: None for each in self._held.values() if each._saved is not None}
            self._to_tell = [each for each in self._held.values() if each._end]
            call["hello"] = self._hello()
            self._call = call
            self._stub = worker_service_pb2_grpc.WorkerServiceStub(channel)
        responses = self._stub.Work(self._requests(call))
        with self._lock:
            call["cancel"] = responses.cancel
        try:
            for response in responses:
                self._hear(response, pool, responses)
        finally:
            with self._lock:
                self._call = None
                self._healthy = False
                self._changed.notify_all()

    def _be_welcome(self, welcome: pb.WorkerWelcome) -> None:
        self._welcome = self._ever_welcome = self._healthy = True
        self._interval = max(seconds_of(welcome.heartbeat_interval), 0.01)
        self._lease = seconds_of(welcome.lease)
        self._id, self._drained = welcome.worker_id, False  # A drain that holds is said again.
        for ref in welcome.lost:
            self._drop_ref(ref)
        self._daemon = Daemon(welcome.server_version, welcome.capabilities, welcome.result_bytes_max)
        for words in self._daemon.warnings([each.offer for each in self._handlers.values()]):
            _log.warning("%s", words)
        if self._to_save and not self._daemon.keeps_checkpoints:
            _log.warning("checkpoints of %d jobs are lost: %s", len(self._to_save), self._daemon.checkpoint_error())
            self._to_save.clear()

    def _hear(self, response: pb.WorkResponse, pool: concurrent.futures.Executor, responses: Any) -> None:
        with self._lock:
            self._last_word = self._last_contact = time.monotonic()
            if response.HasField("welcome"):
                self._be_welcome(response.welcome)
            for stop in response.stops:
                attempt = self._held.get(self._key_of(stop.ref))
                if attempt is not None:
                    attempt._cancel()
            for stop in response.revoked:
                self._drop_ref(stop.ref)
            for ref in response.acked:
                self._held.pop(self._key_of(ref), None)
            for error in response.errors:
                if error.reason == "LEASE_LOST":
                    self._drop_ref(error.ref)
                else:
                    _log.warning("job %s: %s", error.ref.job_id, error.message)
            # Those that crossed a goodbye the daemon gives to others.
            for lease in response.leases if not self._said_goodbye else ():
                slots = self._slots_of(lease.kind)
                self._received += slots if self._daemon.knows_costs else 1
                if self._key_of(lease.ref) in self._held:
                    continue  # A daemon that is not broken gives each lease once.
                attempt = Attempt(self, lease, slots)
                self._busy += slots
                self._running[lease.kind] += 1
                self._held[self._key_of(lease.ref)] = attempt
                self._outbox.accepted.append(lease.ref)
                begin(self, attempt, pool)
            # It may drop attempts later, because nobody speaks with it: it is no more patient for that.
            self._idle = self._welcome and not self._held
            why = response.drain.why
            if why == pb.WorkerDrain.WHY_AGE:
                responses.cancel()  # It goes on at once with another stream.
            elif why in (pb.WorkerDrain.WHY_OPERATOR, pb.WorkerDrain.WHY_RESUMED):
                self._drained = why == pb.WorkerDrain.WHY_OPERATOR
            self._changed.notify_all()

    # ---- All of it

    def _connect(self, pool: concurrent.futures.Executor) -> None:
        pause = _PAUSE_LEAST
        failures = 0
        channel = None
        try:
            while True:
                if channel is None or failures % 3 == 2:  # One that never recovers is not asked for ever.
                    if channel is not None:
                        channel.close()
                    channel = grpc.insecure_channel(self._address, options=_CHANNEL)
                refused: Optional[MillraceError] = None
                try:
                    self._run_stream(channel, pool)
                except grpc.RpcError as error:
                    refused = from_rpc(error)
                with self._lock:
                    if self._said_goodbye:
                        return
                    if self._welcome:
                        pause, failures = _PAUSE_LEAST, 0
                    else:
                        failures += 1
                    away = (None, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED,
                            grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED)
                    if not self._ever_welcome and (refused and refused.code) not in away:
                        raise refused
                    _log.info("no connection to %s: %s", self._address, refused)
                    if self._changed.wait_for(lambda: self._draining and (not self._held or self._give_up),
                                              random.uniform(pause / 4, pause)):
                        return
                pause = min(2 * pause, _PAUSE_MOST)
        finally:
            if channel is not None:
                channel.close()

    def _watch(self) -> None:
        """Sees to what takes too long: a connection on which nothing comes, handlers after a stop, and attempts that
        others run by now, since no daemon was heard of for so long."""
        with self._lock:
            while not self._over:
                self._changed.wait(0.1)
                now = time.monotonic()
                silent = now - self._last_word > self._period() + 2 * self._interval
                if self._call is not None and silent and "cancel" in self._call:
                    self._call["cancel"]()
                if self._draining and not self._give_up and now >= self._drain_until:
                    self._give_up = True
                    for attempt in self._held.values():
                        attempt._cancel()
                    self._changed.notify_all()
                if self._lease and now - self._last_contact >= self._lease - min(5.0, self._lease / 2):
                    # An end is told whenever a daemon is there; if it is late, it changes nothing.
                    for attempt in [each for each in self._held.values() if not each._end]:
                        self._drop(attempt)
