from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from millrace.v1 import job_pb2 as _job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Pool(_message.Message):
    __slots__ = ("name", "runner", "state", "workers", "workers_busy", "capacity_jobs", "capacity_bytes", "queued_jobs", "queued_bytes", "bands", "scheduled_jobs", "oldest_queued_time", "kinds", "efficiency", "waiting_submits")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Pool.State]
        STATE_ACTIVE: _ClassVar[Pool.State]
        STATE_PAUSED: _ClassVar[Pool.State]
        STATE_DRAINING: _ClassVar[Pool.State]
        STATE_DRAINED: _ClassVar[Pool.State]
        STATE_MISSING: _ClassVar[Pool.State]
    STATE_UNSPECIFIED: Pool.State
    STATE_ACTIVE: Pool.State
    STATE_PAUSED: Pool.State
    STATE_DRAINING: Pool.State
    STATE_DRAINED: Pool.State
    STATE_MISSING: Pool.State
    NAME_FIELD_NUMBER: _ClassVar[int]
    RUNNER_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_BUSY_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_JOBS_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_BYTES_FIELD_NUMBER: _ClassVar[int]
    QUEUED_JOBS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_BYTES_FIELD_NUMBER: _ClassVar[int]
    BANDS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_JOBS_FIELD_NUMBER: _ClassVar[int]
    OLDEST_QUEUED_TIME_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    EFFICIENCY_FIELD_NUMBER: _ClassVar[int]
    WAITING_SUBMITS_FIELD_NUMBER: _ClassVar[int]
    name: str
    runner: str
    state: Pool.State
    workers: int
    workers_busy: int
    capacity_jobs: int
    capacity_bytes: int
    queued_jobs: int
    queued_bytes: int
    bands: _containers.RepeatedCompositeFieldContainer[BandDepth]
    scheduled_jobs: int
    oldest_queued_time: _timestamp_pb2.Timestamp
    kinds: _containers.RepeatedScalarFieldContainer[str]
    efficiency: Efficiency
    waiting_submits: int
    def __init__(self, name: _Optional[str] = ..., runner: _Optional[str] = ..., state: _Optional[_Union[Pool.State, str]] = ..., workers: _Optional[int] = ..., workers_busy: _Optional[int] = ..., capacity_jobs: _Optional[int] = ..., capacity_bytes: _Optional[int] = ..., queued_jobs: _Optional[int] = ..., queued_bytes: _Optional[int] = ..., bands: _Optional[_Iterable[_Union[BandDepth, _Mapping]]] = ..., scheduled_jobs: _Optional[int] = ..., oldest_queued_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., kinds: _Optional[_Iterable[str]] = ..., efficiency: _Optional[_Union[Efficiency, _Mapping]] = ..., waiting_submits: _Optional[int] = ...) -> None: ...

class BandDepth(_message.Message):
    __slots__ = ("band", "queued_jobs")
    BAND_FIELD_NUMBER: _ClassVar[int]
    QUEUED_JOBS_FIELD_NUMBER: _ClassVar[int]
    band: _job_pb2.Band
    queued_jobs: int
    def __init__(self, band: _Optional[_Union[_job_pb2.Band, str]] = ..., queued_jobs: _Optional[int] = ...) -> None: ...

class Efficiency(_message.Message):
    __slots__ = ("window", "speedup", "efficiency", "utilization", "useful", "lost_runnable", "lost_blocked")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    SPEEDUP_FIELD_NUMBER: _ClassVar[int]
    EFFICIENCY_FIELD_NUMBER: _ClassVar[int]
    UTILIZATION_FIELD_NUMBER: _ClassVar[int]
    USEFUL_FIELD_NUMBER: _ClassVar[int]
    LOST_RUNNABLE_FIELD_NUMBER: _ClassVar[int]
    LOST_BLOCKED_FIELD_NUMBER: _ClassVar[int]
    window: _duration_pb2.Duration
    speedup: float
    efficiency: float
    utilization: float
    useful: _duration_pb2.Duration
    lost_runnable: _duration_pb2.Duration
    lost_blocked: _duration_pb2.Duration
    def __init__(self, window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., speedup: _Optional[float] = ..., efficiency: _Optional[float] = ..., utilization: _Optional[float] = ..., useful: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., lost_runnable: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., lost_blocked: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ListPoolsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListPoolsResponse(_message.Message):
    __slots__ = ("pools",)
    POOLS_FIELD_NUMBER: _ClassVar[int]
    pools: _containers.RepeatedCompositeFieldContainer[Pool]
    def __init__(self, pools: _Optional[_Iterable[_Union[Pool, _Mapping]]] = ...) -> None: ...

class GetPoolRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ResizePoolRequest(_message.Message):
    __slots__ = ("name", "workers", "capacity_jobs", "capacity_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_JOBS_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    workers: int
    capacity_jobs: int
    capacity_bytes: int
    def __init__(self, name: _Optional[str] = ..., workers: _Optional[int] = ..., capacity_jobs: _Optional[int] = ..., capacity_bytes: _Optional[int] = ...) -> None: ...

class PausePoolRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ResumePoolRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DrainPoolRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...
