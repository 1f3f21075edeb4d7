from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_STATE_UNSPECIFIED: _ClassVar[JobState]
    JOB_STATE_SCHEDULED: _ClassVar[JobState]
    JOB_STATE_BLOCKED: _ClassVar[JobState]
    JOB_STATE_QUEUED: _ClassVar[JobState]
    JOB_STATE_RUNNING: _ClassVar[JobState]
    JOB_STATE_SUCCEEDED: _ClassVar[JobState]
    JOB_STATE_FAILED: _ClassVar[JobState]
    JOB_STATE_CANCELLED: _ClassVar[JobState]
    JOB_STATE_EXPIRED: _ClassVar[JobState]
    JOB_STATE_QUARANTINED: _ClassVar[JobState]

class Band(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BAND_UNSPECIFIED: _ClassVar[Band]
    BAND_CRITICAL: _ClassVar[Band]
    BAND_HIGH: _ClassVar[Band]
    BAND_NORMAL: _ClassVar[Band]
    BAND_LOW: _ClassVar[Band]

class OnFull(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_FULL_UNSPECIFIED: _ClassVar[OnFull]
    ON_FULL_REJECT: _ClassVar[OnFull]
    ON_FULL_WAIT: _ClassVar[OnFull]

class Durability(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DURABILITY_UNSPECIFIED: _ClassVar[Durability]
    DURABILITY_NONE: _ClassVar[Durability]
    DURABILITY_INTERVAL: _ClassVar[Durability]
    DURABILITY_FSYNC: _ClassVar[Durability]

class AttemptResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTEMPT_RESULT_UNSPECIFIED: _ClassVar[AttemptResult]
    ATTEMPT_RESULT_SUCCEEDED: _ClassVar[AttemptResult]
    ATTEMPT_RESULT_FAILED: _ClassVar[AttemptResult]
    ATTEMPT_RESULT_TIMED_OUT: _ClassVar[AttemptResult]
    ATTEMPT_RESULT_CANCELLED: _ClassVar[AttemptResult]
    ATTEMPT_RESULT_LOST: _ClassVar[AttemptResult]
    ATTEMPT_RESULT_RELEASED: _ClassVar[AttemptResult]

class JobView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOB_VIEW_UNSPECIFIED: _ClassVar[JobView]
    JOB_VIEW_BASIC: _ClassVar[JobView]
    JOB_VIEW_FULL: _ClassVar[JobView]
    JOB_VIEW_RESULT: _ClassVar[JobView]
JOB_STATE_UNSPECIFIED: JobState
JOB_STATE_SCHEDULED: JobState
JOB_STATE_BLOCKED: JobState
JOB_STATE_QUEUED: JobState
JOB_STATE_RUNNING: JobState
JOB_STATE_SUCCEEDED: JobState
JOB_STATE_FAILED: JobState
JOB_STATE_CANCELLED: JobState
JOB_STATE_EXPIRED: JobState
JOB_STATE_QUARANTINED: JobState
BAND_UNSPECIFIED: Band
BAND_CRITICAL: Band
BAND_HIGH: Band
BAND_NORMAL: Band
BAND_LOW: Band
ON_FULL_UNSPECIFIED: OnFull
ON_FULL_REJECT: OnFull
ON_FULL_WAIT: OnFull
DURABILITY_UNSPECIFIED: Durability
DURABILITY_NONE: Durability
DURABILITY_INTERVAL: Durability
DURABILITY_FSYNC: Durability
ATTEMPT_RESULT_UNSPECIFIED: AttemptResult
ATTEMPT_RESULT_SUCCEEDED: AttemptResult
ATTEMPT_RESULT_FAILED: AttemptResult
ATTEMPT_RESULT_TIMED_OUT: AttemptResult
ATTEMPT_RESULT_CANCELLED: AttemptResult
ATTEMPT_RESULT_LOST: AttemptResult
ATTEMPT_RESULT_RELEASED: AttemptResult
JOB_VIEW_UNSPECIFIED: JobView
JOB_VIEW_BASIC: JobView
JOB_VIEW_FULL: JobView
JOB_VIEW_RESULT: JobView

class RetryPolicy(_message.Message):
    __slots__ = ("max_attempts", "initial_backoff", "max_backoff", "backoff_multiplier")
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    INITIAL_BACKOFF_FIELD_NUMBER: _ClassVar[int]
    MAX_BACKOFF_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    max_attempts: int
    initial_backoff: _duration_pb2.Duration
    max_backoff: _duration_pb2.Duration
    backoff_multiplier: float
    def __init__(self, max_attempts: _Optional[int] = ..., initial_backoff: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_backoff: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., backoff_multiplier: _Optional[float] = ...) -> None: ...

class UniqueKey(_message.Message):
    __slots__ = ("key", "scope", "on_taken")
    class Scope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SCOPE_UNSPECIFIED: _ClassVar[UniqueKey.Scope]
        SCOPE_WHILE_QUEUED: _ClassVar[UniqueKey.Scope]
        SCOPE_WHILE_UNFINISHED: _ClassVar[UniqueKey.Scope]
    SCOPE_UNSPECIFIED: UniqueKey.Scope
    SCOPE_WHILE_QUEUED: UniqueKey.Scope
    SCOPE_WHILE_UNFINISHED: UniqueKey.Scope
    class OnTaken(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ON_TAKEN_UNSPECIFIED: _ClassVar[UniqueKey.OnTaken]
        ON_TAKEN_RETURN_EXISTING: _ClassVar[UniqueKey.OnTaken]
        ON_TAKEN_REJECT: _ClassVar[UniqueKey.OnTaken]
    ON_TAKEN_UNSPECIFIED: UniqueKey.OnTaken
    ON_TAKEN_RETURN_EXISTING: UniqueKey.OnTaken
    ON_TAKEN_REJECT: UniqueKey.OnTaken
    KEY_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    ON_TAKEN_FIELD_NUMBER: _ClassVar[int]
    key: str
    scope: UniqueKey.Scope
    on_taken: UniqueKey.OnTaken
    def __init__(self, key: _Optional[str] = ..., scope: _Optional[_Union[UniqueKey.Scope, str]] = ..., on_taken: _Optional[_Union[UniqueKey.OnTaken, str]] = ...) -> None: ...

class TraceContext(_message.Message):
    __slots__ = ("traceparent", "tracestate", "baggage")
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    TRACESTATE_FIELD_NUMBER: _ClassVar[int]
    BAGGAGE_FIELD_NUMBER: _ClassVar[int]
    traceparent: str
    tracestate: str
    baggage: str
    def __init__(self, traceparent: _Optional[str] = ..., tracestate: _Optional[str] = ..., baggage: _Optional[str] = ...) -> None: ...

class Placement(_message.Message):
    __slots__ = ("require", "prefer")
    class RequireEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class PreferEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUIRE_FIELD_NUMBER: _ClassVar[int]
    PREFER_FIELD_NUMBER: _ClassVar[int]
    require: _containers.ScalarMap[str, str]
    prefer: _containers.ScalarMap[str, str]
    def __init__(self, require: _Optional[_Mapping[str, str]] = ..., prefer: _Optional[_Mapping[str, str]] = ...) -> None: ...

class JobSpec(_message.Message):
    __slots__ = ("pool", "kind", "payload", "band", "delay", "run_at", "run_timeout", "deadline", "deadline_after", "retry", "no_retry_after_start", "labels", "unique_key", "trace", "placement")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    POOL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    BAND_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    RUN_AT_FIELD_NUMBER: _ClassVar[int]
    RUN_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_AFTER_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    NO_RETRY_AFTER_START_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    UNIQUE_KEY_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    PLACEMENT_FIELD_NUMBER: _ClassVar[int]
    pool: str
    kind: str
    payload: bytes
    band: Band
    delay: _duration_pb2.Duration
    run_at: _timestamp_pb2.Timestamp
    run_timeout: _duration_pb2.Duration
    deadline: _timestamp_pb2.Timestamp
    deadline_after: _duration_pb2.Duration
    retry: RetryPolicy
    no_retry_after_start: bool
    labels: _containers.ScalarMap[str, str]
    unique_key: UniqueKey
    trace: TraceContext
    placement: Placement
    def __init__(self, pool: _Optional[str] = ..., kind: _Optional[str] = ..., payload: _Optional[bytes] = ..., band: _Optional[_Union[Band, str]] = ..., delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., run_at: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., run_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., deadline: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., deadline_after: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., retry: _Optional[_Union[RetryPolicy, _Mapping]] = ..., no_retry_after_start: bool = ..., labels: _Optional[_Mapping[str, str]] = ..., unique_key: _Optional[_Union[UniqueKey, _Mapping]] = ..., trace: _Optional[_Union[TraceContext, _Mapping]] = ..., placement: _Optional[_Union[Placement, _Mapping]] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("number", "start_time", "end_time", "worker", "result", "error", "exit_code", "timings")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EXIT_CODE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    number: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    worker: str
    result: AttemptResult
    error: str
    exit_code: int
    timings: AttemptTimings
    def __init__(self, number: _Optional[int] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., worker: _Optional[str] = ..., result: _Optional[_Union[AttemptResult, str]] = ..., error: _Optional[str] = ..., exit_code: _Optional[int] = ..., timings: _Optional[_Union[AttemptTimings, _Mapping]] = ...) -> None: ...

class AttemptTimings(_message.Message):
    __slots__ = ("queued", "run", "cpu", "runnable", "blocked_inside", "blocked_outside")
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    RUNNABLE_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_INSIDE_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_OUTSIDE_FIELD_NUMBER: _ClassVar[int]
    queued: _duration_pb2.Duration
    run: _duration_pb2.Duration
    cpu: _duration_pb2.Duration
    runnable: _duration_pb2.Duration
    blocked_inside: _duration_pb2.Duration
    blocked_outside: _duration_pb2.Duration
    def __init__(self, queued: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., run: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., cpu: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., runnable: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., blocked_inside: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., blocked_outside: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("fraction", "message", "update_time")
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    fraction: float
    message: str
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, fraction: _Optional[float] = ..., message: _Optional[str] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Job(_message.Message):
    __slots__ = ("id", "spec", "state", "create_time", "due_time", "finish_time", "attempts", "losses", "attempt_history", "progress", "result", "error", "log_tail", "log_bytes", "cancel_requested", "waiting", "checkpoint_bytes", "result_bytes")
    ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    LOSSES_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_HISTORY_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    LOG_TAIL_FIELD_NUMBER: _ClassVar[int]
    LOG_BYTES_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESULT_BYTES_FIELD_NUMBER: _ClassVar[int]
    id: str
    spec: JobSpec
    state: JobState
    create_time: _timestamp_pb2.Timestamp
    due_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    attempts: int
    losses: int
    attempt_history: _containers.RepeatedCompositeFieldContainer[Attempt]
    progress: Progress
    result: bytes
    error: str
    log_tail: bytes
    log_bytes: int
    cancel_requested: bool
    waiting: Waiting
    checkpoint_bytes: int
    result_bytes: int
    def __init__(self, id: _Optional[str] = ..., spec: _Optional[_Union[JobSpec, _Mapping]] = ..., state: _Optional[_Union[JobState, str]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., due_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., attempts: _Optional[int] = ..., losses: _Optional[int] = ..., attempt_history: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., result: _Optional[bytes] = ..., error: _Optional[str] = ..., log_tail: _Optional[bytes] = ..., log_bytes: _Optional[int] = ..., cancel_requested: bool = ..., waiting: _Optional[_Union[Waiting, _Mapping]] = ..., checkpoint_bytes: _Optional[int] = ..., result_bytes: _Optional[int] = ...) -> None: ...

class Waiting(_message.Message):
    __slots__ = ("reason", "message", "jobs_ahead")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Waiting.Reason]
        REASON_TIME: _ClassVar[Waiting.Reason]
        REASON_RETRY: _ClassVar[Waiting.Reason]
        REASON_LIMIT: _ClassVar[Waiting.Reason]
        REASON_SHUTDOWN: _ClassVar[Waiting.Reason]
        REASON_POOL: _ClassVar[Waiting.Reason]
        REASON_DISK: _ClassVar[Waiting.Reason]
        REASON_NO_WORKER: _ClassVar[Waiting.Reason]
        REASON_NO_LABELS: _ClassVar[Waiting.Reason]
        REASON_NO_SLOT: _ClassVar[Waiting.Reason]
        REASON_QUEUE: _ClassVar[Waiting.Reason]
    REASON_UNSPECIFIED: Waiting.Reason
    REASON_TIME: Waiting.Reason
    REASON_RETRY: Waiting.Reason
    REASON_LIMIT: Waiting.Reason
    REASON_SHUTDOWN: Waiting.Reason
    REASON_POOL: Waiting.Reason
    REASON_DISK: Waiting.Reason
    REASON_NO_WORKER: Waiting.Reason
    REASON_NO_LABELS: Waiting.Reason
    REASON_NO_SLOT: Waiting.Reason
    REASON_QUEUE: Waiting.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    JOBS_AHEAD_FIELD_NUMBER: _ClassVar[int]
    reason: Waiting.Reason
    message: str
    jobs_ahead: int
    def __init__(self, reason: _Optional[_Union[Waiting.Reason, str]] = ..., message: _Optional[str] = ..., jobs_ahead: _Optional[int] = ...) -> None: ...
