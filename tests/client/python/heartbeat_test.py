"""How often a worker beats, with daemons that answer as the test wants. tests/e2e/python_test.sh runs it."""
import threading
import unittest

import millrace
from millrace.v1 import worker_service_pb2 as pb

from python_test import PATIENCE, Case, eventually
from scripted_daemon import ScriptedDaemon


class Heartbeats(Case):
    def begin(self, handler):
        """A worker, and a daemon of its own, which counts its heartbeats."""
        daemon = ScriptedDaemon(heartbeat=0.1)
        self.addCleanup(daemon.stop)
        worker = millrace.Worker(daemon.address, name="w")
        worker.handler("wait")(handler)
        self.start(worker)
        return daemon

    def test_fewer_do_while_a_worker_holds_nothing(self):
        began, let_go = threading.Event(), threading.Event()

        def wait():
            began.set()
            let_go.wait(PATIENCE)

        self.addCleanup(let_go.set)
        idle, busy = self.begin(wait), self.begin(wait)

        def compare(as_expected):
            """The heartbeats of both from now on. However slow the machine is, it is so for both of them."""
            before = idle.beats, busy.beats
            eventually(lambda: as_expected(idle.beats - before[0], busy.beats - before[1]))

        compare(lambda of_idle, of_busy: min(of_idle, of_busy) > 1)
        busy.say_until(began.is_set, leases=[pb.Lease(kind="wait", ref=pb.AttemptRef(job_id="job 1", token=7))])
        compare(lambda of_idle, of_busy: of_idle >= 4 and 2 * of_busy >= 3 * of_idle)
        let_go.set()
        busy.seen(lambda: "job 1" in busy.ended)
        compare(lambda of_idle, of_busy: of_idle >= 6 and 3 * of_busy <= 4 * of_idle)


if __name__ == "__main__":
    unittest.main(verbosity=2)
