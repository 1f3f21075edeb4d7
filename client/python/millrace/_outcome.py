"""What a handler may raise, and what its outcome is called on the wire."""
from __future__ import annotations

import asyncio
import concurrent.futures
import datetime
import logging
from typing import Any, Union

from ._values import duration, proto_text
from .v1 import worker_service_pb2 as pb

_log = logging.getLogger("millrace")


class DoNotRetry(Exception):
    """Raised by a handler: the job has failed for good."""


class RetryAfter(Exception):
    """Raised by a handler: the attempt has failed, and the next one begins after so many seconds."""

    def __init__(self, seconds: Union[float, datetime.timedelta], error: str = "try again later"):
        super().__init__(error)
        self.seconds = seconds.total_seconds() if isinstance(seconds, datetime.timedelta) else float(seconds)


class ResultRefused(Exception):
    """The daemon did not take the result. Another attempt may have more luck."""


def fill_end(end: pb.AttemptEnd, task: Any) -> None:
    """`task` is done: a future of either sort."""
    try:
        end.result = task.result()
    except (concurrent.futures.CancelledError, asyncio.CancelledError):
        end.failure.error = "the handler was cancelled"
    except DoNotRetry as error:
        end.failure.error = proto_text(str(error))
        end.failure.do_not_retry = True
    except ResultRefused as error:
        end.failure.error = proto_text(str(error))
    except RetryAfter as error:
        end.failure.error = proto_text(str(error))
        end.failure.retry_after.CopyFrom(duration(max(error.seconds, 0.0)))
    except BaseException as error:  # Whatever a handler raises is its job's failure.
        _log.warning("job %s: %s", end.ref.job_id, error, exc_info=error)
        end.failure.error = proto_text(f"{type(error).__name__}: {error}")
