from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from millrace.v1 import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AttemptRef(_message.Message):
    __slots__ = ("job_id", "attempt", "token")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    attempt: int
    token: int
    def __init__(self, job_id: _Optional[str] = ..., attempt: _Optional[int] = ..., token: _Optional[int] = ...) -> None: ...

class WorkRequest(_message.Message):
    __slots__ = ("hello", "accepted", "outputs", "ended", "released", "credit", "draining", "heartbeat", "goodbye")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    hello: WorkerHello
    accepted: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    outputs: _containers.RepeatedCompositeFieldContainer[AttemptOutput]
    ended: _containers.RepeatedCompositeFieldContainer[AttemptEnd]
    released: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    credit: WorkerCredit
    draining: bool
    heartbeat: WorkerHeartbeat
    goodbye: bool
    def __init__(self, hello: _Optional[_Union[WorkerHello, _Mapping]] = ..., accepted: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ..., outputs: _Optional[_Iterable[_Union[AttemptOutput, _Mapping]]] = ..., ended: _Optional[_Iterable[_Union[AttemptEnd, _Mapping]]] = ..., released: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ..., credit: _Optional[_Union[WorkerCredit, _Mapping]] = ..., draining: bool = ..., heartbeat: _Optional[_Union[WorkerHeartbeat, _Mapping]] = ..., goodbye: bool = ...) -> None: ...

class WorkerHello(_message.Message):
    __slots__ = ("worker", "instance_key", "sdk", "build_id", "kinds", "slots", "held", "labels", "protocol_min", "protocol_max", "capabilities")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    WORKER_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_KEY_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MIN_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_MAX_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    worker: str
    instance_key: bytes
    sdk: str
    build_id: str
    kinds: _containers.RepeatedCompositeFieldContainer[KindOffer]
    slots: int
    held: _containers.RepeatedCompositeFieldContainer[HeldAttempt]
    labels: _containers.ScalarMap[str, str]
    protocol_min: int
    protocol_max: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, worker: _Optional[str] = ..., instance_key: _Optional[bytes] = ..., sdk: _Optional[str] = ..., build_id: _Optional[str] = ..., kinds: _Optional[_Iterable[_Union[KindOffer, _Mapping]]] = ..., slots: _Optional[int] = ..., held: _Optional[_Iterable[_Union[HeldAttempt, _Mapping]]] = ..., labels: _Optional[_Mapping[str, str]] = ..., protocol_min: _Optional[int] = ..., protocol_max: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ...) -> None: ...

class KindOffer(_message.Message):
    __slots__ = ("kind", "slots", "at_once_max", "beat_within")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    AT_ONCE_MAX_FIELD_NUMBER: _ClassVar[int]
    BEAT_WITHIN_FIELD_NUMBER: _ClassVar[int]
    kind: str
    slots: int
    at_once_max: int
    beat_within: _duration_pb2.Duration
    def __init__(self, kind: _Optional[str] = ..., slots: _Optional[int] = ..., at_once_max: _Optional[int] = ..., beat_within: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class HeldAttempt(_message.Message):
    __slots__ = ("ref", "state")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[HeldAttempt.State]
        STATE_RUNNING: _ClassVar[HeldAttempt.State]
        STATE_ENDED_UNACKED: _ClassVar[HeldAttempt.State]
    STATE_UNSPECIFIED: HeldAttempt.State
    STATE_RUNNING: HeldAttempt.State
    STATE_ENDED_UNACKED: HeldAttempt.State
    REF_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ref: AttemptRef
    state: HeldAttempt.State
    def __init__(self, ref: _Optional[_Union[AttemptRef, _Mapping]] = ..., state: _Optional[_Union[HeldAttempt.State, str]] = ...) -> None: ...

class AttemptOutput(_message.Message):
    __slots__ = ("ref", "progress", "log", "checkpoint")
    REF_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    LOG_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    ref: AttemptRef
    progress: _job_pb2.Progress
    log: bytes
    checkpoint: bytes
    def __init__(self, ref: _Optional[_Union[AttemptRef, _Mapping]] = ..., progress: _Optional[_Union[_job_pb2.Progress, _Mapping]] = ..., log: _Optional[bytes] = ..., checkpoint: _Optional[bytes] = ...) -> None: ...

class AttemptEnd(_message.Message):
    __slots__ = ("ref", "result", "failure", "timings")
    REF_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    ref: AttemptRef
    result: bytes
    failure: AttemptFailure
    timings: _job_pb2.AttemptTimings
    def __init__(self, ref: _Optional[_Union[AttemptRef, _Mapping]] = ..., result: _Optional[bytes] = ..., failure: _Optional[_Union[AttemptFailure, _Mapping]] = ..., timings: _Optional[_Union[_job_pb2.AttemptTimings, _Mapping]] = ...) -> None: ...

class AttemptFailure(_message.Message):
    __slots__ = ("error", "do_not_retry", "retry_after")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    DO_NOT_RETRY_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    error: str
    do_not_retry: bool
    retry_after: _duration_pb2.Duration
    def __init__(self, error: _Optional[str] = ..., do_not_retry: bool = ..., retry_after: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WorkerCredit(_message.Message):
    __slots__ = ("slots_granted_total",)
    SLOTS_GRANTED_TOTAL_FIELD_NUMBER: _ClassVar[int]
    slots_granted_total: int
    def __init__(self, slots_granted_total: _Optional[int] = ...) -> None: ...

class WorkerHeartbeat(_message.Message):
    __slots__ = ("sequence", "held")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    held: HeldList
    def __init__(self, sequence: _Optional[int] = ..., held: _Optional[_Union[HeldList, _Mapping]] = ...) -> None: ...

class HeldList(_message.Message):
    __slots__ = ("refs",)
    REFS_FIELD_NUMBER: _ClassVar[int]
    refs: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    def __init__(self, refs: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ...) -> None: ...

class WorkResponse(_message.Message):
    __slots__ = ("welcome", "stops", "revoked", "acked", "heartbeat_ack", "drain", "errors", "leases")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    STOPS_FIELD_NUMBER: _ClassVar[int]
    REVOKED_FIELD_NUMBER: _ClassVar[int]
    ACKED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_ACK_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    welcome: WorkerWelcome
    stops: _containers.RepeatedCompositeFieldContainer[AttemptStop]
    revoked: _containers.RepeatedCompositeFieldContainer[AttemptStop]
    acked: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    heartbeat_ack: WorkerHeartbeatAck
    drain: WorkerDrain
    errors: _containers.RepeatedCompositeFieldContainer[AttemptError]
    leases: _containers.RepeatedCompositeFieldContainer[Lease]
    def __init__(self, welcome: _Optional[_Union[WorkerWelcome, _Mapping]] = ..., stops: _Optional[_Iterable[_Union[AttemptStop, _Mapping]]] = ..., revoked: _Optional[_Iterable[_Union[AttemptStop, _Mapping]]] = ..., acked: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ..., heartbeat_ack: _Optional[_Union[WorkerHeartbeatAck, _Mapping]] = ..., drain: _Optional[_Union[WorkerDrain, _Mapping]] = ..., errors: _Optional[_Iterable[_Union[AttemptError, _Mapping]]] = ..., leases: _Optional[_Iterable[_Union[Lease, _Mapping]]] = ...) -> None: ...

class WorkerWelcome(_message.Message):
    __slots__ = ("server_version", "heartbeat_interval", "lease", "accept_within", "resume_grace", "finish_within", "kept", "lost", "protocol", "capabilities", "worker_id", "result_bytes_max")
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_WITHIN_FIELD_NUMBER: _ClassVar[int]
    RESUME_GRACE_FIELD_NUMBER: _ClassVar[int]
    FINISH_WITHIN_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    server_version: str
    heartbeat_interval: _duration_pb2.Duration
    lease: _duration_pb2.Duration
    accept_within: _duration_pb2.Duration
    resume_grace: _duration_pb2.Duration
    finish_within: _duration_pb2.Duration
    kept: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    lost: _containers.RepeatedCompositeFieldContainer[AttemptRef]
    protocol: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    worker_id: str
    result_bytes_max: int
    def __init__(self, server_version: _Optional[str] = ..., heartbeat_interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., lease: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., accept_within: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., resume_grace: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., finish_within: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., kept: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ..., lost: _Optional[_Iterable[_Union[AttemptRef, _Mapping]]] = ..., protocol: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ..., worker_id: _Optional[str] = ..., result_bytes_max: _Optional[int] = ...) -> None: ...

class Lease(_message.Message):
    __slots__ = ("ref", "kind", "payload", "run_timeout", "labels", "trace", "losses", "checkpoint", "payload_bytes")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REF_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    RUN_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_BYTES_FIELD_NUMBER: _ClassVar[int]
    ref: AttemptRef
    kind: str
    payload: bytes
    run_timeout: _duration_pb2.Duration
    labels: _containers.ScalarMap[str, str]
    trace: _job_pb2.TraceContext
    losses: int
    checkpoint: bytes
    payload_bytes: int
    def __init__(self, ref: _Optional[_Union[AttemptRef, _Mapping]] = ..., kind: _Optional[str] = ..., payload: _Optional[bytes] = ..., run_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., trace: _Optional[_Union[_job_pb2.TraceContext, _Mapping]] = ..., losses: _Optional[int] = ..., checkpoint: _Optional[bytes] = ..., payload_bytes: _Optional[int] = ...) -> None: ...

class AttemptStop(_message.Message):
    __slots__ = ("ref", "reason", "message")
    REF_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ref: AttemptRef
    reason: str
    message: str
    def __init__(self, ref: _Optional[_Union[AttemptRef, _Mapping]] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class AttemptError(_message.Message):
    __slots__ = ("ref", "reason", "message")
    REF_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ref: AttemptRef
    reason: str
    message: str
    def __init__(self, ref: _Optional[_Union[AttemptRef, _Mapping]] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class WorkerHeartbeatAck(_message.Message):
    __slots__ = ("sequence",)
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    def __init__(self, sequence: _Optional[int] = ...) -> None: ...

class WorkerDrain(_message.Message):
    __slots__ = ("why", "reconnect_after")
    class Why(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        WHY_UNSPECIFIED: _ClassVar[WorkerDrain.Why]
        WHY_SHUTDOWN: _ClassVar[WorkerDrain.Why]
        WHY_AGE: _ClassVar[WorkerDrain.Why]
        WHY_OPERATOR: _ClassVar[WorkerDrain.Why]
        WHY_RESUMED: _ClassVar[WorkerDrain.Why]
    WHY_UNSPECIFIED: WorkerDrain.Why
    WHY_SHUTDOWN: WorkerDrain.Why
    WHY_AGE: WorkerDrain.Why
    WHY_OPERATOR: WorkerDrain.Why
    WHY_RESUMED: WorkerDrain.Why
    WHY_FIELD_NUMBER: _ClassVar[int]
    RECONNECT_AFTER_FIELD_NUMBER: _ClassVar[int]
    why: WorkerDrain.Why
    reconnect_after: _duration_pb2.Duration
    def __init__(self, why: _Optional[_Union[WorkerDrain.Why, str]] = ..., reconnect_after: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SyncRequest(_message.Message):
    __slots__ = ("instance_key", "said", "wait")
    INSTANCE_KEY_FIELD_NUMBER: _ClassVar[int]
    SAID_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    instance_key: bytes
    said: WorkRequest
    wait: _duration_pb2.Duration
    def __init__(self, instance_key: _Optional[bytes] = ..., said: _Optional[_Union[WorkRequest, _Mapping]] = ..., wait: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SyncResponse(_message.Message):
    __slots__ = ("told",)
    TOLD_FIELD_NUMBER: _ClassVar[int]
    told: WorkResponse
    def __init__(self, told: _Optional[_Union[WorkResponse, _Mapping]] = ...) -> None: ...

class ReadPayloadRequest(_message.Message):
    __slots__ = ("ref",)
    REF_FIELD_NUMBER: _ClassVar[int]
    ref: AttemptRef
    def __init__(self, ref: _Optional[_Union[AttemptRef, _Mapping]] = ...) -> None: ...

class ReadPayloadResponse(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class WriteResultRequest(_message.Message):
    __slots__ = ("ref", "bytes", "timings", "data")
    REF_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ref: AttemptRef
    bytes: int
    timings: _job_pb2.AttemptTimings
    data: bytes
    def __init__(self, ref: _Optional[_Union[AttemptRef, _Mapping]] = ..., bytes: _Optional[int] = ..., timings: _Optional[_Union[_job_pb2.AttemptTimings, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class WriteResultResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Worker(_message.Message):
    __slots__ = ("id", "name", "state", "sdk", "build_id", "labels", "kinds", "slots", "slots_used", "connect_time", "heard_time", "attempts_given", "attempts")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Worker.State]
        STATE_CONNECTED: _ClassVar[Worker.State]
        STATE_DRAINING: _ClassVar[Worker.State]
        STATE_AWAY: _ClassVar[Worker.State]
        STATE_SILENT: _ClassVar[Worker.State]
    STATE_UNSPECIFIED: Worker.State
    STATE_CONNECTED: Worker.State
    STATE_DRAINING: Worker.State
    STATE_AWAY: Worker.State
    STATE_SILENT: Worker.State
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SDK_FIELD_NUMBER: _ClassVar[int]
    BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_USED_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIME_FIELD_NUMBER: _ClassVar[int]
    HEARD_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_GIVEN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    state: Worker.State
    sdk: str
    build_id: str
    labels: _containers.ScalarMap[str, str]
    kinds: _containers.RepeatedCompositeFieldContainer[KindOffer]
    slots: int
    slots_used: int
    connect_time: _timestamp_pb2.Timestamp
    heard_time: _timestamp_pb2.Timestamp
    attempts_given: int
    attempts: _containers.RepeatedCompositeFieldContainer[WorkerAttempt]
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., state: _Optional[_Union[Worker.State, str]] = ..., sdk: _Optional[str] = ..., build_id: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., kinds: _Optional[_Iterable[_Union[KindOffer, _Mapping]]] = ..., slots: _Optional[int] = ..., slots_used: _Optional[int] = ..., connect_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., heard_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., attempts_given: _Optional[int] = ..., attempts: _Optional[_Iterable[_Union[WorkerAttempt, _Mapping]]] = ...) -> None: ...

class WorkerAttempt(_message.Message):
    __slots__ = ("job_id", "kind", "attempt", "start_time", "accepted")
    JOB_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    job_id: str
    kind: str
    attempt: int
    start_time: _timestamp_pb2.Timestamp
    accepted: bool
    def __init__(self, job_id: _Optional[str] = ..., kind: _Optional[str] = ..., attempt: _Optional[int] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., accepted: bool = ...) -> None: ...

class ListWorkersRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "kind")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    kind: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., kind: _Optional[str] = ...) -> None: ...

class ListWorkersResponse(_message.Message):
    __slots__ = ("workers", "next_page_token")
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[Worker]
    next_page_token: str
    def __init__(self, workers: _Optional[_Iterable[_Union[Worker, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetWorkerRequest(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: str
    def __init__(self, worker: _Optional[str] = ...) -> None: ...

class DrainWorkerRequest(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: str
    def __init__(self, worker: _Optional[str] = ...) -> None: ...

class ResumeWorkerRequest(_message.Message):
    __slots__ = ("worker",)
    WORKER_FIELD_NUMBER: _ClassVar[int]
    worker: str
    def __init__(self, worker: _Optional[str] = ...) -> None: ...
