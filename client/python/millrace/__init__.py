"""Millrace from Python: submit jobs to a daemon, and run them.

    client = millrace.Client("127.0.0.1:7070")
    job = client.submit("resize", {"path": "cat.png", "width": 200})
    print(job.result(timeout=60))

    worker = millrace.Worker("127.0.0.1:7070", slots=4)

    @worker.handler("resize")
    def resize(path: str, width: int) -> str: ...

    worker.run()
"""
from . import aio
from ._attempt import Attempt
from ._client import Client, Job, JobFailed
from ._errors import MillraceError
from ._outcome import DoNotRetry, RetryAfter
from ._worker import Worker

__all__ = ["Attempt", "Client", "DoNotRetry", "Job", "JobFailed", "MillraceError", "RetryAfter", "Worker", "aio"]
