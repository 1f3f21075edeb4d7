"""Results that no message holds: how the library writes and reads them. With the daemon that tests/e2e/python_test.sh
has started at MILLRACE_ADDRESS, with result_bytes_max = "8MiB"; and with one that answers as the test wants."""
import asyncio
import os
import threading
import unittest

import grpc
import millrace
from millrace.v1 import job_pb2
from millrace.v1 import worker_service_pb2 as pb

from python_test import ADDRESS, PATIENCE, Case
from scripted_daemon import ScriptedDaemon, refuse

LIMIT = 8 << 20
LARGE = os.urandom(3 << 20)


def both_sorts(worker, kind, result):
    """A plain and an asynchronous handler that return the same; the kinds of the two."""

    def plain(payload: bytes, attempt: millrace.Attempt) -> bytes:
        attempt.log("rendered\n")
        attempt.progress(1.0, "rendered")
        attempt.save_checkpoint(b"almost")
        return result(payload)

    async def asynchronous(payload: bytes, attempt: millrace.Attempt) -> bytes:
        return plain(payload, attempt)

    worker.handler(kind, raw=True)(plain)
    worker.handler(kind + "-async", raw=True)(asynchronous)
    return kind, kind + "-async"


class WholeDaemon(Case):
    def test_a_large_result_goes_from_the_handler_to_whoever_waits_for_the_job(self):
        worker = millrace.Worker(ADDRESS, slots=2)
        kinds = both_sorts(worker, self.kind, lambda _: LARGE)
        self.start(worker)
        for kind in kinds * 3:
            job = self.client.submit(kind)
            waited = job.wait(PATIENCE)
            self.assertEqual(waited.state, job_pb2.JOB_STATE_SUCCEEDED)
            self.assertTrue(waited.result == LARGE)
            # What the handler showed came before.
            self.assertEqual((waited.log_tail, waited.progress.message), (b"rendered\n", "rendered"))
            self.assertTrue(job.get().result == LARGE)
            self.assertTrue(job.result(PATIENCE) == LARGE)
            self.assertTrue(self.client.read_result(job.id) == LARGE)

    def test_the_client_for_asyncio_reads_it_too(self):
        worker = millrace.Worker(ADDRESS)
        worker.handler(self.kind)(lambda: list(range(400_000)))
        self.start(worker)

        async def read():
            async with millrace.aio.Client(ADDRESS) as client:
                job = await client.submit(self.kind)
                self.assertTrue(await job.result(PATIENCE) == list(range(400_000)))
                data = (await job.get()).result
                self.assertGreater(len(data), 1 << 20)
                self.assertTrue(await client.read_result(job.id) == data)

        asyncio.run(read())

    def test_a_result_may_be_as_large_as_the_daemon_takes_and_not_larger(self):
        worker = millrace.Worker(ADDRESS, slots=2)
        kinds = both_sorts(worker, self.kind, lambda payload: b"x" * int(payload))
        self.start(worker)
        for kind in kinds:
            for size in (1 << 20, (1 << 20) + 1, LIMIT):
                self.assertTrue(self.client.submit(kind, b"%d" % size).result(PATIENCE) == b"x" * size)
            job = self.client.submit(kind, b"%d" % (LIMIT + 1), max_attempts=3)
            with self.assertRaises(millrace.JobFailed) as caught:
                job.result(PATIENCE)
            self.assertEqual(caught.exception.job.error, (
                "the result has 8388609 bytes, and 8388608 are the limit (result_bytes_max of the daemon's "
                "configuration); store it elsewhere and return a reference"))
            self.assertEqual(caught.exception.job.attempts, 1)
            with self.assertRaises(millrace.MillraceError) as caught:
                self.client.read_result(job.id)
            self.assertEqual(caught.exception.reason, "NO_RESULT")

    def test_a_small_result_can_be_read_by_the_same_call(self):
        for payload in (b"small", b""):
            job = self.client.submit("echo", payload)
            self.assertEqual(job.wait(PATIENCE).result, payload)
            self.assertEqual(self.client.read_result(job.id), payload)


class WithScriptedDaemon(Case):
    def begin(self, *kinds, worker=None, **options):
        """A daemon with a job of each of the kinds, and a worker that renders large results, and does small jobs."""
        self.daemon = ScriptedDaemon(*kinds, **options)
        self.addCleanup(self.daemon.stop)
        self.calls = 0
        worker = millrace.Worker(self.daemon.address, name="w", **(worker or {"slots": 1}))
        both_sorts(worker, "render", lambda _: LARGE)
        worker.handler("small")(lambda: "small")
        return worker


class LargeResult(WithScriptedDaemon):
    sort = "render"

    def error_of(self, job):
        self.daemon.seen(lambda: job in self.daemon.ended)
        return self.daemon.ended[job].failure

    def test_is_written_again_until_the_daemon_has_it(self):
        worker = self.begin(self.sort)
        written = []

        def write(requests, context):
            self.calls += 1
            if self.calls == 1:
                context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
            if self.calls == 2:
                refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY", "too many")
            if self.calls == 3:
                next(requests), next(requests)
                context.abort(grpc.StatusCode.CANCELLED, "cut in the middle")
            pieces = list(requests)
            with self.daemon.changed:
                written.extend(pieces)
                self.daemon.changed.notify_all()

        self.daemon.write_result = write
        end = self.start(worker)
        self.daemon.seen(lambda: written)
        self.assertEqual((written[0].ref.job_id, written[0].bytes), ("job 1", len(LARGE)))
        self.assertTrue(b"".join(piece.data for piece in written) == LARGE)
        self.assertLessEqual(max(len(piece.data) for piece in written), 256 << 10)
        self.daemon.seen(lambda: self.daemon.logs.get("job 1") == b"rendered\n")
        end()  # The worker holds nothing any more, or this would wait for it.
        self.assertEqual(self.daemon.ended, {}, "its end was told by the call alone")

    def test_is_held_while_it_is_written(self):
        worker = self.begin(self.sort, heartbeat=0.1)
        written = threading.Event()

        def write(requests, context):
            self.calls += 1
            if self.calls == 1:
                self.daemon.held = None
                self.daemon.seen(lambda: self.daemon.held is not None)
                self.held, self.streams = set(self.daemon.held), len(self.daemon.hellos)
                self.daemon.cut()
            if len(self.daemon.hellos) == self.streams:
                context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
            list(requests)
            self.daemon.held = None
            written.set()

        self.daemon.write_result = write
        end = self.start(worker)
        self.assertTrue(written.wait(PATIENCE))
        self.assertEqual(self.held, {"job 1"})
        named, = self.daemon.hellos[self.streams].held
        self.assertEqual((named.ref.job_id, named.state), ("job 1", pb.HeldAttempt.STATE_RUNNING))
        self.daemon.seen(lambda: self.daemon.held == set())
        end()
        self.assertEqual(self.daemon.ended, {})

    def test_that_is_acknowledged_on_the_stream_first_has_ended(self):
        worker = self.begin(self.sort, "small", heartbeat=0.1)

        def write(requests, context):
            self.calls += 1
            self.daemon.say_until(lambda: self.daemon.held == set(), acked=[list(requests)[0].ref])
            context.abort(grpc.StatusCode.UNAVAILABLE, "after all")

        self.daemon.write_result = write
        end = self.start(worker)
        self.daemon.seen(lambda: "job 2" in self.daemon.ended)  # Its slot is free for the next one.
        end()
        self.assertEqual((self.calls, list(self.daemon.ended)), (1, ["job 2"]))

    def test_of_an_attempt_that_belongs_to_somebody_else_is_dropped(self):
        worker = self.begin(self.sort, "small")
        self.daemon.write_result = lambda _, context: refuse(
            context, grpc.StatusCode.FAILED_PRECONDITION, "LEASE_LOST", "others run it")
        end = self.start(worker)
        self.daemon.seen(lambda: "job 2" in self.daemon.ended)  # Its slot is free for the next one.
        end()
        self.assertEqual(list(self.daemon.ended), ["job 2"])

    def test_that_is_refused_for_good_fails_its_attempt(self):
        for reason, for_good in (("RESULT_TOO_LARGE", True), ("BAD_RESULT", False)):
            worker = self.begin(self.sort)
            self.daemon.write_result = lambda _, context: refuse(
                context, grpc.StatusCode.INVALID_ARGUMENT, reason, "the limit was lowered")
            end = self.start(worker)
            failure = self.error_of("job 1")
            self.assertEqual((failure.error, failure.do_not_retry),
                             ("cannot write the result: the limit was lowered", for_good))
            end()

    def test_is_cut_off_when_its_job_is_cancelled(self):
        worker = self.begin(self.sort)
        ended, cuts = threading.Event(), []

        def write(requests, context):
            self.calls += 1
            context.add_callback(ended.set)
            stop = pb.AttemptStop(ref=next(requests).ref, reason="CANCELLED")
            self.daemon.say_until(lambda: self.daemon.ended, stops=[stop])
            cut = ended.wait(PATIENCE)  # Although it was not answered.
            with self.daemon.changed:
                cuts.append(cut)
                self.daemon.changed.notify_all()

        self.daemon.write_result = write
        end = self.start(worker)
        self.assertTrue(self.error_of("job 1").error)
        self.daemon.seen(lambda: cuts)
        end()
        self.assertEqual((self.calls, cuts), (1, [True]))

    def test_that_cannot_be_written_before_the_end_of_the_worker_is_given_back(self):
        worker = self.begin(self.sort, worker={"drain_timeout": 0.01})

        def write(_, context):
            with self.daemon.changed:
                self.calls += 1
                self.daemon.changed.notify_all()
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

        self.daemon.write_result = write
        end = self.start(worker)
        self.daemon.seen(lambda: self.calls)
        end()
        self.daemon.seen(lambda: self.daemon.goodbye)
        self.assertEqual(self.daemon.ended, {})

    def test_that_an_older_daemon_does_not_know_is_a_failure(self):
        end = self.start(self.begin(self.sort, result_bytes_max=0))
        failure = self.error_of("job 1")
        self.assertIn("the result has 3145728 bytes, and 1048576 are the limit", failure.error)
        self.assertTrue(failure.do_not_retry)
        end()


class LargeResultOfACoroutine(LargeResult):
    sort = "render-async"


class LargeResultOfAJob(WithScriptedDaemon):
    def test_is_read_again_when_it_was_cut_off_or_the_daemon_is_busy(self):
        self.begin()
        self.daemon.job = job_pb2.Job(id="job 1", state=job_pb2.JOB_STATE_SUCCEEDED, result_bytes=len(LARGE))

        def read(context):
            self.calls += 1
            if self.calls == 2:
                refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY", "too many")
            yield LARGE[:1 << 20]
            if self.calls == 1:
                context.abort(grpc.StatusCode.UNAVAILABLE, "cut in the middle")
            yield LARGE[1 << 20:]

        async def read_asynchronously():
            async with millrace.aio.Client(self.daemon.address) as client:
                return [(await client.get("job 1")).result, (await client.wait("job 1")).result]

        self.daemon.read_result = read
        with millrace.Client(self.daemon.address) as client:
            results = [client.get("job 1").result, client.wait("job 1").result]
        self.assertEqual(self.calls, 4)
        self.calls = 0
        results += asyncio.run(read_asynchronously())
        self.assertTrue(all(result == LARGE for result in results))
        self.assertEqual((len(results), self.calls), (4, 4))


if __name__ == "__main__":
    unittest.main(verbosity=2)
