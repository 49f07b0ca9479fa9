import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.common.v1 import evaluation_pb2 as _evaluation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrialMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRIAL_MODE_UNSPECIFIED: _ClassVar[TrialMode]
    TRIAL_MODE_SHADOW: _ClassVar[TrialMode]
    TRIAL_MODE_CANARY: _ClassVar[TrialMode]

class TrialState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRIAL_STATE_UNSPECIFIED: _ClassVar[TrialState]
    TRIAL_STATE_RUNNING: _ClassVar[TrialState]
    TRIAL_STATE_PROMOTED: _ClassVar[TrialState]
    TRIAL_STATE_ENDED: _ClassVar[TrialState]
    TRIAL_STATE_ROLLED_BACK: _ClassVar[TrialState]

class CandidateState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANDIDATE_STATE_UNSPECIFIED: _ClassVar[CandidateState]
    CANDIDATE_STATE_LOADING: _ClassVar[CandidateState]
    CANDIDATE_STATE_READY: _ClassVar[CandidateState]
    CANDIDATE_STATE_ERROR: _ClassVar[CandidateState]
TRIAL_MODE_UNSPECIFIED: TrialMode
TRIAL_MODE_SHADOW: TrialMode
TRIAL_MODE_CANARY: TrialMode
TRIAL_STATE_UNSPECIFIED: TrialState
TRIAL_STATE_RUNNING: TrialState
TRIAL_STATE_PROMOTED: TrialState
TRIAL_STATE_ENDED: TrialState
TRIAL_STATE_ROLLED_BACK: TrialState
CANDIDATE_STATE_UNSPECIFIED: CandidateState
CANDIDATE_STATE_LOADING: CandidateState
CANDIDATE_STATE_READY: CandidateState
CANDIDATE_STATE_ERROR: CandidateState

class TrialLimits(_message.Message):
    __slots__ = ("min_requests", "max_error_rate", "max_disagreement_rate")
    MIN_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    MAX_ERROR_RATE_FIELD_NUMBER: _ClassVar[int]
    MAX_DISAGREEMENT_RATE_FIELD_NUMBER: _ClassVar[int]
    min_requests: int
    max_error_rate: float
    max_disagreement_rate: float
    def __init__(self, min_requests: _Optional[int] = ..., max_error_rate: _Optional[float] = ..., max_disagreement_rate: _Optional[float] = ...) -> None: ...

class AnswerDifference(_message.Message):
    __slots__ = ("model_type", "name", "served", "added", "missing", "changed")
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SERVED_FIELD_NUMBER: _ClassVar[int]
    ADDED_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    model_type: _evaluation_pb2.ModelType
    name: str
    served: int
    added: int
    missing: int
    changed: int
    def __init__(self, model_type: _Optional[_Union[_evaluation_pb2.ModelType, str]] = ..., name: _Optional[str] = ..., served: _Optional[int] = ..., added: _Optional[int] = ..., missing: _Optional[int] = ..., changed: _Optional[int] = ...) -> None: ...

class TrialCounts(_message.Message):
    __slots__ = ("requests", "errors", "compared_requests", "compared_texts", "differing_texts", "skipped_requests", "dropped_requests", "differences")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    COMPARED_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    COMPARED_TEXTS_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_TEXTS_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    DROPPED_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    requests: int
    errors: int
    compared_requests: int
    compared_texts: int
    differing_texts: int
    skipped_requests: int
    dropped_requests: int
    differences: _containers.RepeatedCompositeFieldContainer[AnswerDifference]
    def __init__(self, requests: _Optional[int] = ..., errors: _Optional[int] = ..., compared_requests: _Optional[int] = ..., compared_texts: _Optional[int] = ..., differing_texts: _Optional[int] = ..., skipped_requests: _Optional[int] = ..., dropped_requests: _Optional[int] = ..., differences: _Optional[_Iterable[_Union[AnswerDifference, _Mapping]]] = ...) -> None: ...

class TrialReporter(_message.Message):
    __slots__ = ("reporter", "candidate_state", "error_message", "report_time")
    REPORTER_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_STATE_FIELD_NUMBER: _ClassVar[int]
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REPORT_TIME_FIELD_NUMBER: _ClassVar[int]
    reporter: str
    candidate_state: CandidateState
    error_message: str
    report_time: _timestamp_pb2.Timestamp
    def __init__(self, reporter: _Optional[str] = ..., candidate_state: _Optional[_Union[CandidateState, str]] = ..., error_message: _Optional[str] = ..., report_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Trial(_message.Message):
    __slots__ = ("name", "model_version", "mode", "share", "limits", "state", "reason", "counts", "reporters", "deployment_revision", "promoted_revision", "etag", "create_time", "end_time", "actor", "end_actor")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    REPORTERS_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_REVISION_FIELD_NUMBER: _ClassVar[int]
    PROMOTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    END_ACTOR_FIELD_NUMBER: _ClassVar[int]
    name: str
    model_version: str
    mode: TrialMode
    share: float
    limits: TrialLimits
    state: TrialState
    reason: str
    counts: TrialCounts
    reporters: _containers.RepeatedCompositeFieldContainer[TrialReporter]
    deployment_revision: int
    promoted_revision: int
    etag: str
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    actor: str
    end_actor: str
    def __init__(self, name: _Optional[str] = ..., model_version: _Optional[str] = ..., mode: _Optional[_Union[TrialMode, str]] = ..., share: _Optional[float] = ..., limits: _Optional[_Union[TrialLimits, _Mapping]] = ..., state: _Optional[_Union[TrialState, str]] = ..., reason: _Optional[str] = ..., counts: _Optional[_Union[TrialCounts, _Mapping]] = ..., reporters: _Optional[_Iterable[_Union[TrialReporter, _Mapping]]] = ..., deployment_revision: _Optional[int] = ..., promoted_revision: _Optional[int] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., end_actor: _Optional[str] = ...) -> None: ...
