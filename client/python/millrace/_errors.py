"""What the daemon says when it refuses a call."""
from __future__ import annotations

from typing import Optional

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from ._values import seconds_of


_UNKNOWN_CALL = "the daemon does not know this call, so it is older than this library: upgrade the daemon"


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
            error.retry_after = seconds_of(retry.retry_delay)
    return error


def from_rpc(error: grpc.RpcError) -> MillraceError:
    unknown = error.code() == grpc.StatusCode.UNIMPLEMENTED
    words = error.details() or (_UNKNOWN_CALL if unknown else str(error.code()))
    ours = MillraceError(error.code(), words, "UNIMPLEMENTED" if unknown else "")
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status()
            try:
                status.ParseFromString(value)
                _details_of(ours, status)
            except DecodeError:  # Without them it is an error all the same.
                pass
    if not ours.reason and ours.code == grpc.StatusCode.UNAVAILABLE:
        ours.reason = "UNREACHABLE"
    return ours


def from_status(status: status_pb2.Status) -> MillraceError:
    """An error inside an answer of a stream."""
    code = next((each for each in grpc.StatusCode if each.value[0] == status.code), grpc.StatusCode.UNKNOWN)
    return _details_of(MillraceError(code, status.message), status)
