import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.trainer.v1 import training_job_pb2 as _training_job_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Worker(_message.Message):
    __slots__ = ("id", "capacity", "free", "max_jobs", "jobs", "gpu_available", "gpus", "execution_providers", "last_seen_time", "engines")
    ID_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    FREE_FIELD_NUMBER: _ClassVar[int]
    MAX_JOBS_FIELD_NUMBER: _ClassVar[int]
    JOBS_FIELD_NUMBER: _ClassVar[int]
    GPU_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    GPUS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_TIME_FIELD_NUMBER: _ClassVar[int]
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    id: str
    capacity: _training_job_pb2.TrainingResources
    free: _training_job_pb2.TrainingResources
    max_jobs: int
    jobs: _containers.RepeatedCompositeFieldContainer[RunningJob]
    gpu_available: bool
    gpus: _containers.RepeatedScalarFieldContainer[str]
    execution_providers: _containers.RepeatedScalarFieldContainer[str]
    last_seen_time: _timestamp_pb2.Timestamp
    engines: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., capacity: _Optional[_Union[_training_job_pb2.TrainingResources, _Mapping]] = ..., free: _Optional[_Union[_training_job_pb2.TrainingResources, _Mapping]] = ..., max_jobs: _Optional[int] = ..., jobs: _Optional[_Iterable[_Union[RunningJob, _Mapping]]] = ..., gpu_available: _Optional[bool] = ..., gpus: _Optional[_Iterable[str]] = ..., execution_providers: _Optional[_Iterable[str]] = ..., last_seen_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., engines: _Optional[_Iterable[str]] = ...) -> None: ...

class RunningJob(_message.Message):
    __slots__ = ("training_job", "resources", "start_time")
    TRAINING_JOB_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    training_job: str
    resources: _training_job_pb2.TrainingResources
    start_time: _timestamp_pb2.Timestamp
    def __init__(self, training_job: _Optional[str] = ..., resources: _Optional[_Union[_training_job_pb2.TrainingResources, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
