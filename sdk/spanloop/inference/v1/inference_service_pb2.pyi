import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from spanloop.common.v1 import text_pb2 as _text_pb2
from spanloop.inference.v1 import export_pb2 as _export_pb2
from spanloop.inference.v1 import preannotation_job_pb2 as _preannotation_job_pb2
from spanloop.inference.v1 import predict_pb2 as _predict_pb2
from spanloop.inference.v1 import serving_state_pb2 as _serving_state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PredictRequest(_message.Message):
    __slots__ = ("project", "texts", "labels", "min_score", "top_n", "pins", "granularity", "offset_encoding", "controls", "given_spans", "uncertainty")
    class PinsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    TOP_N_FIELD_NUMBER: _ClassVar[int]
    PINS_FIELD_NUMBER: _ClassVar[int]
    GRANULARITY_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    GIVEN_SPANS_FIELD_NUMBER: _ClassVar[int]
    UNCERTAINTY_FIELD_NUMBER: _ClassVar[int]
    project: str
    texts: _containers.RepeatedScalarFieldContainer[str]
    labels: _containers.RepeatedScalarFieldContainer[str]
    min_score: float
    top_n: int
    pins: _containers.ScalarMap[str, str]
    granularity: _predict_pb2.Granularity
    offset_encoding: _text_pb2.TextOffsetEncoding
    controls: _containers.RepeatedScalarFieldContainer[str]
    given_spans: _containers.RepeatedCompositeFieldContainer[_predict_pb2.GivenSpans]
    uncertainty: bool
    def __init__(self, project: _Optional[str] = ..., texts: _Optional[_Iterable[str]] = ..., labels: _Optional[_Iterable[str]] = ..., min_score: _Optional[float] = ..., top_n: _Optional[int] = ..., pins: _Optional[_Mapping[str, str]] = ..., granularity: _Optional[_Union[_predict_pb2.Granularity, str]] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ..., controls: _Optional[_Iterable[str]] = ..., given_spans: _Optional[_Iterable[_Union[_predict_pb2.GivenSpans, _Mapping]]] = ..., uncertainty: _Optional[bool] = ...) -> None: ...

class PredictResponse(_message.Message):
    __slots__ = ("predictions", "generation")
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    predictions: _containers.RepeatedCompositeFieldContainer[_predict_pb2.TextPrediction]
    generation: _predict_pb2.Generation
    def __init__(self, predictions: _Optional[_Iterable[_Union[_predict_pb2.TextPrediction, _Mapping]]] = ..., generation: _Optional[_Union[_predict_pb2.Generation, _Mapping]] = ...) -> None: ...

class PredictStreamRequest(_message.Message):
    __slots__ = ("id", "predict")
    ID_FIELD_NUMBER: _ClassVar[int]
    PREDICT_FIELD_NUMBER: _ClassVar[int]
    id: str
    predict: PredictRequest
    def __init__(self, id: _Optional[str] = ..., predict: _Optional[_Union[PredictRequest, _Mapping]] = ...) -> None: ...

class PredictStreamResponse(_message.Message):
    __slots__ = ("id", "predict", "failure")
    ID_FIELD_NUMBER: _ClassVar[int]
    PREDICT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    id: str
    predict: PredictResponse
    failure: PredictFailure
    def __init__(self, id: _Optional[str] = ..., predict: _Optional[_Union[PredictResponse, _Mapping]] = ..., failure: _Optional[_Union[PredictFailure, _Mapping]] = ...) -> None: ...

class PredictFailure(_message.Message):
    __slots__ = ("code", "message", "reason", "metadata", "retry_delay", "field_violations")
    class FieldViolation(_message.Message):
        __slots__ = ("field", "description")
        FIELD_FIELD_NUMBER: _ClassVar[int]
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        field: str
        description: str
        def __init__(self, field: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    FIELD_VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    reason: str
    metadata: _containers.ScalarMap[str, str]
    retry_delay: _duration_pb2.Duration
    field_violations: _containers.RepeatedCompositeFieldContainer[PredictFailure.FieldViolation]
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., reason: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., retry_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., field_violations: _Optional[_Iterable[_Union[PredictFailure.FieldViolation, _Mapping]]] = ...) -> None: ...

class GetServingStateRequest(_message.Message):
    __slots__ = ("project",)
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    project: str
    def __init__(self, project: _Optional[str] = ...) -> None: ...

class GetServingStateResponse(_message.Message):
    __slots__ = ("serving_state",)
    SERVING_STATE_FIELD_NUMBER: _ClassVar[int]
    serving_state: _serving_state_pb2.ServingState
    def __init__(self, serving_state: _Optional[_Union[_serving_state_pb2.ServingState, _Mapping]] = ...) -> None: ...

class ExportModelVersionRequest(_message.Message):
    __slots__ = ("name", "layout")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LAYOUT_FIELD_NUMBER: _ClassVar[int]
    name: str
    layout: _export_pb2.ExportLayout
    def __init__(self, name: _Optional[str] = ..., layout: _Optional[_Union[_export_pb2.ExportLayout, str]] = ...) -> None: ...

class ExportModelVersionResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    def __init__(self, chunk: _Optional[bytes] = ...) -> None: ...

class CreatePreannotationJobRequest(_message.Message):
    __slots__ = ("parent", "preannotation_job", "request_id")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PREANNOTATION_JOB_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    parent: str
    preannotation_job: _preannotation_job_pb2.PreannotationJob
    request_id: str
    def __init__(self, parent: _Optional[str] = ..., preannotation_job: _Optional[_Union[_preannotation_job_pb2.PreannotationJob, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreatePreannotationJobResponse(_message.Message):
    __slots__ = ("preannotation_job",)
    PREANNOTATION_JOB_FIELD_NUMBER: _ClassVar[int]
    preannotation_job: _preannotation_job_pb2.PreannotationJob
    def __init__(self, preannotation_job: _Optional[_Union[_preannotation_job_pb2.PreannotationJob, _Mapping]] = ...) -> None: ...

class GetPreannotationJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetPreannotationJobResponse(_message.Message):
    __slots__ = ("preannotation_job",)
    PREANNOTATION_JOB_FIELD_NUMBER: _ClassVar[int]
    preannotation_job: _preannotation_job_pb2.PreannotationJob
    def __init__(self, preannotation_job: _Optional[_Union[_preannotation_job_pb2.PreannotationJob, _Mapping]] = ...) -> None: ...

class ListPreannotationJobsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPreannotationJobsResponse(_message.Message):
    __slots__ = ("preannotation_jobs", "next_page_token")
    PREANNOTATION_JOBS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    preannotation_jobs: _containers.RepeatedCompositeFieldContainer[_preannotation_job_pb2.PreannotationJob]
    next_page_token: str
    def __init__(self, preannotation_jobs: _Optional[_Iterable[_Union[_preannotation_job_pb2.PreannotationJob, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelPreannotationJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class CancelPreannotationJobResponse(_message.Message):
    __slots__ = ("preannotation_job",)
    PREANNOTATION_JOB_FIELD_NUMBER: _ClassVar[int]
    preannotation_job: _preannotation_job_pb2.PreannotationJob
    def __init__(self, preannotation_job: _Optional[_Union[_preannotation_job_pb2.PreannotationJob, _Mapping]] = ...) -> None: ...

class WatchPreannotationJobRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class WatchPreannotationJobResponse(_message.Message):
    __slots__ = ("preannotation_job", "heartbeat")
    class Heartbeat(_message.Message):
        __slots__ = ()
        def __init__(self) -> None: ...
    PREANNOTATION_JOB_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    preannotation_job: _preannotation_job_pb2.PreannotationJob
    heartbeat: WatchPreannotationJobResponse.Heartbeat
    def __init__(self, preannotation_job: _Optional[_Union[_preannotation_job_pb2.PreannotationJob, _Mapping]] = ..., heartbeat: _Optional[_Union[WatchPreannotationJobResponse.Heartbeat, _Mapping]] = ...) -> None: ...
