"""The Python client against a real daemon, which tests/e2e/python_test.sh has started at MILLRACE_ADDRESS."""
import asyncio
import dataclasses
import functools
import os
import threading
import time
import unittest
import zlib
from typing import List, Optional

import grpc
import millrace
from millrace.v1 import job_pb2, worker_service_pb2

ADDRESS = os.environ["MILLRACE_ADDRESS"]
PATIENCE = 60.0  # Seconds; only catches a hang.


def eventually(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise AssertionError("waited in vain")
        time.sleep(0.01)


class Case(unittest.TestCase):
    def setUp(self):
        self.client = millrace.Client(ADDRESS)
        self.addCleanup(self.client.close)
        self.kind = f"kind-{zlib.crc32(self.id().encode())}"  # Tests share the daemon, and nothing else.

    def start(self, worker):
        self.errors = []

        def run():
            try:
                worker.run()
            except millrace.MillraceError as error:
                self.errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()

        def end():
            worker.stop()
            thread.join(PATIENCE)
            self.assertFalse(thread.is_alive())

        self.addCleanup(end)
        return end


class Client(Case):
    def test_a_result_comes_back_as_what_it_is(self):
        self.assertEqual(self.client.submit("echo", {"a": [1, 2]}).result(PATIENCE), {"a": [1, 2]})
        self.assertEqual(self.client.submit("echo", b"\xff\x00").result(PATIENCE), b"\xff\x00")
        self.assertIsNone(self.client.submit("echo").result(PATIENCE))

    def test_errors_have_reason_field_and_numbers(self):
        with self.assertRaises(millrace.MillraceError) as caught:
            self.client.submit("echo", pool="nope")
        self.assertEqual(caught.exception.code, grpc.StatusCode.NOT_FOUND)
        self.assertEqual(caught.exception.reason, "POOL_NOT_FOUND")
        self.assertEqual(caught.exception.field, "spec.pool")
        self.assertEqual(caught.exception.metadata["pool"], "nope")

    def test_a_daemon_that_is_not_there_is_named_so(self):
        client = millrace.Client("127.0.0.1:1", deadline=5)
        with self.assertRaises(millrace.MillraceError) as caught:
            client.submit("echo")
        self.assertEqual(caught.exception.reason, "UNREACHABLE")

    def test_a_failed_job_raises_when_its_result_is_asked_for(self):
        job = self.client.submit("fail", "no luck", max_attempts=1)
        with self.assertRaises(millrace.JobFailed) as caught:
            job.result(PATIENCE)
        self.assertEqual(caught.exception.job.state, job_pb2.JOB_STATE_FAILED)

    def test_many_jobs_over_one_stream_come_in_order_with_what_is_refused(self):
        def jobs():
            for i in range(1000):
                yield ("echo", i) if i != 500 else {"kind": "echo", "pool": "nope"}

        answers = list(self.client.submit_many(jobs()))
        self.assertEqual(len(answers), 1000)
        self.assertIsInstance(answers[500], millrace.MillraceError)
        self.assertEqual(answers[999].result(PATIENCE), 999)
        with self.assertRaises(TypeError):
            list(self.client.submit_many([("echo", object())]))

    def test_a_wait_ends_by_its_timeout_and_a_watch_with_its_job(self):
        job = self.client.submit("sleep", b"1h")
        with self.assertRaises(TimeoutError):
            job.wait(timeout=0.01)
        job.cancel("not needed")
        states = [event.state for event in job.watch()]
        self.assertEqual(states[-1], job_pb2.JOB_STATE_CANCELLED)


class Async(unittest.IsolatedAsyncioTestCase):
    async def test_the_client_for_asyncio_does_what_the_other_does(self):
        async with millrace.aio.Client(ADDRESS) as client:
            job = await client.submit("echo", {"a": 1})
            self.assertEqual(await job.result(PATIENCE), {"a": 1})
            with self.assertRaises(millrace.MillraceError) as caught:
                await client.submit("echo", pool="nope")
            self.assertEqual(caught.exception.reason, "POOL_NOT_FOUND")

            async def jobs():
                for i in range(600):
                    yield ("echo", i) if i != 500 else {"kind": "echo", "pool": "nope"}

            answers = [each async for each in client.submit_many(jobs())]
            self.assertEqual(len(answers), 600)
            self.assertIsInstance(answers[500], millrace.MillraceError)
            self.assertEqual(await answers[599].result(PATIENCE), 599)

            job = await client.submit("sleep", b"1h")
            with self.assertRaises(TimeoutError):
                await job.wait(timeout=0.01)
            waits = asyncio.create_task(job.wait())
            await asyncio.sleep(0)
            waits.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await waits
            await job.cancel()
            states = [event.state async for event in job.watch()]
            self.assertEqual(states[-1], job_pb2.JOB_STATE_CANCELLED)

            self.assertEqual(await client.list_workers(kind="kind-of-nobody"), [])
            for ask in (client.get_worker, client.drain_worker, client.resume_worker):
                with self.assertRaises(millrace.MillraceError) as caught:
                    await ask("nobody")
                self.assertEqual(caught.exception.reason, "UNKNOWN_WORKER")


@dataclasses.dataclass
class Size:
    width: int
    height: int = 100


class Worker(Case):
    def test_arguments_are_the_fields_of_the_payload_and_fit_their_types(self):
        worker = millrace.Worker(ADDRESS, slots=2)

        @worker.handler(self.kind)
        def handle(name: str, size: Size, factor: float = 1.0, tags: Optional[List[str]] = None) -> dict:
            return {"name": name, "area": size.width * size.height * factor, "tags": tags}

        self.start(worker)
        good = self.client.submit(self.kind, {"name": "cat", "size": {"width": 2}, "factor": 2, "tags": ["a"]})
        self.assertEqual(good.result(PATIENCE), {"name": "cat", "area": 400.0, "tags": ["a"]})
        for payload, words in [({"name": 5, "size": {"width": 1}}, "name is 5, and should be of type str"),
                               ({"name": "cat"}, "size"), ({"name": "cat", "size": {"width": True}}, "width"),
                               ({"name": "cat", "size": {"width": 1}, "more": 1}, "no argument 'more'")]:
            with self.assertRaises(millrace.JobFailed) as caught:
                self.client.submit(self.kind, payload).result(PATIENCE)
            self.assertIn(words, caught.exception.job.error)
            self.assertEqual(caught.exception.job.attempts, 1)

    def test_bytes_come_and_go_as_they_are_when_asked(self):
        worker = millrace.Worker(ADDRESS)

        @worker.handler(self.kind, raw=True)
        def handle(payload: bytes, attempt) -> bytes:
            attempt.progress(0.5, "half")
            attempt.log("a line\n")
            return payload[::-1]

        self.start(worker)
        job = self.client.submit(self.kind, b"\x00\xff", labels={"tenant": "acme"})
        self.assertEqual(job.result(PATIENCE), b"\xff\x00")
        self.assertEqual(job.get().progress.message, "half")
        self.assertEqual(job.get().log_tail, b"a line\n")

    def test_what_a_handler_raises_is_a_failure_and_says_whether_it_is_tried_again(self):
        worker = millrace.Worker(ADDRESS)

        @worker.handler(self.kind)
        def handle(what: str, attempt: millrace.Attempt) -> str:
            if what == "never":
                raise millrace.DoNotRetry("no use")
            if attempt.number == 1:
                raise millrace.RetryAfter(0, "once more") if what == "soon" else TypeError("inside")
            return "done"

        self.start(worker)
        with self.assertRaises(millrace.JobFailed) as caught:
            self.client.submit(self.kind, {"what": "never"}).result(PATIENCE)
        self.assertEqual((caught.exception.job.error, caught.exception.job.attempts), ("no use", 1))
        self.assertEqual(self.client.submit(self.kind, {"what": "soon"}).result(PATIENCE), "done")
        # The handler's own TypeError is no payload that does not fit, so it is tried again.
        self.assertEqual(self.client.submit(self.kind, {"what": "type"}).result(PATIENCE), "done")

    def test_coroutines_run_beside_each_other_and_a_cancel_reaches_them(self):
        worker = millrace.Worker(ADDRESS, slots=3)
        running, cancelled = [], []

        @worker.handler(self.kind)
        async def handle(n: int, attempt: millrace.Attempt) -> int:
            running.append(n)
            try:
                while n == 0 or len(running) < 3:
                    await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                cancelled.append(attempt.job_id)
                raise
            return n

        self.start(worker)
        jobs = [self.client.submit(self.kind, {"n": n}) for n in range(3)]
        self.assertEqual([job.result(PATIENCE) for job in jobs[1:]], [1, 2])
        jobs[0].cancel()
        self.assertEqual(jobs[0].wait(PATIENCE).state, job_pb2.JOB_STATE_CANCELLED)
        self.assertEqual(cancelled, [jobs[0].id])

    def test_a_cancel_is_seen_by_a_plain_handler(self):
        worker = millrace.Worker(ADDRESS)
        began = threading.Event()

        @worker.handler(self.kind)
        def handle(attempt: millrace.Attempt) -> None:
            began.set()
            attempt.wait_cancelled(PATIENCE)

        self.start(worker)
        job = self.client.submit(self.kind)
        self.assertTrue(began.wait(PATIENCE))
        job.cancel()
        self.assertEqual(job.wait(PATIENCE).state, job_pb2.JOB_STATE_CANCELLED)

    def test_thousands_of_jobs_one_after_the_other_and_no_more_at_once_than_slots(self):
        worker = millrace.Worker(ADDRESS, slots=4)
        lock, now, most = threading.Lock(), 0, 0

        @worker.handler(self.kind)
        def handle(i: int) -> int:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            with lock:
                now -= 1
            return i

        self.start(worker)
        jobs = list(self.client.submit_many((self.kind, {"i": i}) for i in range(2000)))
        self.assertEqual([job.result(PATIENCE) for job in jobs], list(range(2000)))
        self.assertLessEqual(most, 4)

    def test_health_tells_the_truth_and_a_stop_gives_back_what_takes_too_long(self):
        worker = millrace.Worker(ADDRESS, drain_timeout=0.01)
        began = threading.Event()

        @worker.handler(self.kind)
        def handle(attempt: millrace.Attempt) -> str:
            began.set()
            attempt.wait_cancelled(PATIENCE)
            return "late"

        self.assertFalse(worker.healthy)
        end = self.start(worker)
        job = self.client.submit(self.kind)
        self.assertTrue(began.wait(PATIENCE))
        eventually(lambda: worker.healthy)  # The machine may just have stood still for two heartbeats.
        end()
        self.assertFalse(worker.healthy)
        # Told to stop, the handler ended; its word may have come before the goodbye, or its job was given back. Where
        # the machine stood still, the stream may have ended without a goodbye, and the daemon finds out by itself.
        ends = (job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_SUCCEEDED)
        eventually(lambda: job.get().state in ends)
        if job.get().state == job_pb2.JOB_STATE_QUEUED:
            job.cancel()

    def test_whatever_a_handler_raises_its_attempt_ends_and_others_go_on(self):
        class Unshowable(Exception):
            def __str__(self):
                raise ValueError("no words")

        worker = millrace.Worker(ADDRESS, slots=1)

        @worker.handler(self.kind)
        async def handle(what: str) -> str:
            if what == "exit":
                raise SystemExit(3)
            if what == "unshowable":
                raise Unshowable()
            return "fine"

        worker.handler(self.kind + "-partial")(functools.partial(lambda a, b: a + b, 1))
        self.start(worker)
        for what in ("exit", "unshowable"):
            with self.assertRaises(millrace.JobFailed):
                self.client.submit(self.kind, {"what": what}, max_attempts=1).result(PATIENCE)
        self.assertEqual(self.client.submit(self.kind, {"what": "good"}).result(PATIENCE), "fine")
        self.assertEqual(self.client.submit(self.kind + "-partial", {"b": 2}).result(PATIENCE), 3)
        with self.assertRaises(RuntimeError):
            worker.run()

    def test_a_worker_that_makes_no_sense_is_told_so(self):
        worker = millrace.Worker(ADDRESS, name="two words")
        worker.handler(self.kind)(lambda: None)
        with self.assertRaises(millrace.MillraceError) as caught:
            worker.run()
        self.assertEqual((caught.exception.reason, caught.exception.field), ("BAD_WORKER", "hello.worker"))

    def both_sorts(self, worker, handle):
        """A plain and an asynchronous handler that do the same; the kinds of the two."""

        async def handle_async(payload: bytes, attempt: millrace.Attempt) -> bytes:
            return handle(payload, attempt)

        worker.handler(self.kind, raw=True)(handle)
        worker.handler(self.kind + "-async", raw=True)(handle_async)
        self.start(worker)
        return self.kind, self.kind + "-async"

    def test_what_an_attempt_saves_the_next_one_finds(self):
        def handle(payload: bytes, attempt: millrace.Attempt) -> bytes:
            if not attempt.checkpoint:
                attempt.save_checkpoint(b"some")
                attempt.save_checkpoint(payload)
                with self.assertRaises(ValueError):
                    attempt.save_checkpoint(bytes((64 << 10) + 1))
                with self.assertRaises(TypeError):
                    attempt.save_checkpoint("text")
                raise millrace.RetryAfter(0, "go on from there")
            return attempt.checkpoint

        largest = os.urandom(64 << 10)
        for kind in self.both_sorts(millrace.Worker(ADDRESS, slots=2), handle):
            job = self.client.submit(kind, largest, max_attempts=5)
            self.assertEqual(job.result(PATIENCE), largest)

    def test_an_empty_checkpoint_takes_away_what_was_saved(self):
        worker = millrace.Worker(ADDRESS)
        found = []

        @worker.handler(self.kind, raw=True)
        def handle(payload: bytes, attempt: millrace.Attempt) -> bytes:
            found.append(attempt.checkpoint)
            if len(found) < 3:
                attempt.save_checkpoint(b"" if attempt.checkpoint else b"some")
                raise millrace.RetryAfter(0, "once more")
            return attempt.checkpoint

        self.start(worker)
        self.assertIsNone(self.client.submit(self.kind).result(PATIENCE))
        self.assertEqual(found[:2], [b"", b"some"])

    def test_a_large_payload_is_read_apart_and_comes_whole(self):
        apart = []

        def handle(payload: bytes, attempt: millrace.Attempt) -> bytes:
            apart.append(attempt.lease.payload_bytes)
            return attempt.payload[::-1]

        payloads = [os.urandom(200 << 10) for _ in range(6)]
        for kind in self.both_sorts(millrace.Worker(ADDRESS, slots=4), handle):
            jobs = [self.client.submit(kind, each) for each in payloads]
            self.assertEqual([job.result(PATIENCE) for job in jobs], [each[::-1] for each in payloads])
        self.assertEqual(set(apart), {200 << 10})

    def test_a_job_runs_where_the_labels_are_that_it_requires_and_better_where_it_prefers(self):
        for zone in ("east", "west"):
            worker = millrace.Worker(ADDRESS, slots=2, labels={"zone": zone})
            worker.handler(self.kind)(lambda zone=zone: zone)
            self.start(worker)
        for zone in ("east", "west"):  # Once each has run some, both are there and have room.
            jobs = [self.client.submit(self.kind, require={"zone": zone}) for _ in range(5)]
            self.assertEqual([job.result(PATIENCE) for job in jobs], [zone] * 5)
        for zone in ("east", "west"):
            self.assertEqual(self.client.submit(self.kind, prefer={"zone": zone}).result(PATIENCE), zone)
        self.client.submit(self.kind, prefer={"zone": "north"}).result(PATIENCE)

    def most_at_once(self, kind, **options):
        """Of six jobs, each of which waits until two have run at once."""
        worker = millrace.Worker(ADDRESS, slots=8)
        lock, now, most = threading.Lock(), 0, 0

        @worker.handler(kind, **options)
        def handle() -> None:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            eventually(lambda: most >= 2)
            with lock:
                now -= 1

        self.start(worker)
        for job in [self.client.submit(kind) for _ in range(6)]:
            job.result(PATIENCE)
        return most

    def test_attempts_take_the_slots_that_their_kind_costs_and_a_kind_has_its_own_limit(self):
        self.assertEqual(self.most_at_once(self.kind, slots=4), 2)
        self.assertEqual(self.most_at_once(self.kind + "-limited", at_once_max=2), 2)

    def test_a_drained_worker_is_shown_so_and_goes_on_only_with_what_it_has(self):
        worker = millrace.Worker(ADDRESS, slots=2, name=self.kind, labels={"zone": "east"}, build_id="7")
        began, let_go = threading.Event(), threading.Event()

        @worker.handler(self.kind, at_once_max=2)
        def handle() -> str:
            began.set()
            let_go.wait(PATIENCE)
            return "done"

        self.start(worker)
        self.addCleanup(let_go.set)
        first = self.client.submit(self.kind)
        self.assertTrue(began.wait(PATIENCE))
        listed, = self.client.list_workers(kind=self.kind)
        self.assertEqual((listed.id, listed.name, listed.slots), (worker.id, self.kind, 2))
        self.assertEqual(dict(listed.labels), {"zone": "east", "worker": self.kind, "build": "7"})
        self.assertEqual([each.job_id for each in self.client.get_worker(worker.id).attempts], [first.id])
        self.assertEqual(self.client.drain_worker(self.kind).state, worker_service_pb2.Worker.STATE_DRAINING)
        eventually(lambda: worker.drained)
        second = self.client.submit(self.kind)
        let_go.set()
        self.assertEqual(first.result(PATIENCE), "done")
        self.assertEqual(second.get().state, job_pb2.JOB_STATE_QUEUED)
        self.client.resume_worker(self.kind)
        self.assertEqual(second.result(PATIENCE), "done")
        eventually(lambda: not worker.drained)

    def test_a_job_that_waits_says_for_what(self):
        job = self.client.submit(self.kind, require={"gpu": "a100"})
        self.assertEqual(job.get().waiting.reason, job_pb2.Waiting.REASON_NO_WORKER)
        self.assertTrue(job.get().waiting.message)
        plain = millrace.Worker(ADDRESS)
        plain.handler(self.kind)(lambda: "plain")
        self.start(plain)
        eventually(lambda: job.get().waiting.reason == job_pb2.Waiting.REASON_NO_LABELS)
        behind = self.client.submit(self.kind, require={"gpu": "a100"})
        self.assertGreaterEqual(behind.get().waiting.jobs_ahead, 1)
        strong = millrace.Worker(ADDRESS, labels={"gpu": "a100"})
        strong.handler(self.kind)(lambda: "strong")
        self.start(strong)
        self.assertEqual([job.result(PATIENCE), behind.result(PATIENCE)], ["strong", "strong"])
        self.assertFalse(job.get().HasField("waiting"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
