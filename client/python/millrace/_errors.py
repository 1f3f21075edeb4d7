"""What the daemon says when it refuses a call."""
from __future__ import annotations

from typing import Optional

import grpc
from google.rpc import error_details_pb2, status_pb2


class MillraceError(Exception):
    """A call was refused, or nobody answered.

    code: gRPC's, for what to do; reason: never changes ("QUEUE_FULL"); metadata: the numbers of the message; field: at
    fault; retry_after: seconds after which a repeat may help, or None.
    """

    def __init__(self, code: grpc.StatusCode, message: str, reason: str = "", metadata: Optional[dict] = None,
                 field: str = "", retry_after: Optional[float] = None):
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.metadata = metadata or {}
        self.field = field
        self.retry_after = retry_after


def _details_of(error: MillraceError, status: status_pb2.Status) -> MillraceError:
    for detail in status.details:
        info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            error.reason = info.reason
            error.metadata = dict(info.metadata)
        elif detail.Unpack(bad) and bad.field_violations:
            error.field = bad.field_violations[0].field
        elif detail.Unpack(retry):
            error.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return error


def from_rpc(error: grpc.RpcError) -> MillraceError:
    ours = MillraceError(error.code(), error.details() or str(error.code()))
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status()
            status.ParseFromString(value)
            _details_of(ours, status)
    if not ours.reason and ours.code == grpc.StatusCode.UNAVAILABLE:
        ours.reason = "UNREACHABLE"
    return ours


def from_status(status: status_pb2.Status) -> MillraceError:
    """An error inside an answer of a stream."""
    code = next((each for each in grpc.StatusCode if each.value[0] == status.code), grpc.StatusCode.UNKNOWN)
    return _details_of(MillraceError(code, status.message), status)
