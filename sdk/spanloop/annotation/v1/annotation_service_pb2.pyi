from google.protobuf import field_mask_pb2 as _field_mask_pb2
from spanloop.annotation.v1 import completion_pb2 as _completion_pb2
from spanloop.annotation.v1 import event_pb2 as _event_pb2
from spanloop.annotation.v1 import label_pb2 as _label_pb2
from spanloop.annotation.v1 import prediction_pb2 as _prediction_pb2
from spanloop.annotation.v1 import project_pb2 as _project_pb2
from spanloop.annotation.v1 import selection_pb2 as _selection_pb2
from spanloop.annotation.v1 import snapshot_pb2 as _snapshot_pb2
from spanloop.annotation.v1 import task_pb2 as _task_pb2
from spanloop.common.v1 import evaluation_pb2 as _evaluation_pb2
from spanloop.common.v1 import text_pb2 as _text_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TaskFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TASK_FORMAT_UNSPECIFIED: _ClassVar[TaskFormat]
    TASK_FORMAT_JSONL: _ClassVar[TaskFormat]
    TASK_FORMAT_CONLL: _ClassVar[TaskFormat]
    TASK_FORMAT_GERMEVAL: _ClassVar[TaskFormat]
    TASK_FORMAT_WEBANNO_TSV: _ClassVar[TaskFormat]
    TASK_FORMAT_BRAT: _ClassVar[TaskFormat]
    TASK_FORMAT_LABEL_STUDIO: _ClassVar[TaskFormat]
    TASK_FORMAT_LABEL_STUDIO_MIN: _ClassVar[TaskFormat]
    TASK_FORMAT_GENERATIVE_AI_LAB: _ClassVar[TaskFormat]
    TASK_FORMAT_DOCCANO: _ClassVar[TaskFormat]
    TASK_FORMAT_PRODIGY: _ClassVar[TaskFormat]
    TASK_FORMAT_SPACY_JSON: _ClassVar[TaskFormat]
    TASK_FORMAT_SPACY_TUPLES: _ClassVar[TaskFormat]
    TASK_FORMAT_SPACY_DOCBIN: _ClassVar[TaskFormat]
    TASK_FORMAT_SPACY_IOB: _ClassVar[TaskFormat]
    TASK_FORMAT_BIOC: _ClassVar[TaskFormat]
    TASK_FORMAT_TEXT: _ClassVar[TaskFormat]
    TASK_FORMAT_CSV: _ClassVar[TaskFormat]
    TASK_FORMAT_FASTTEXT: _ClassVar[TaskFormat]

class TagScheme(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TAG_SCHEME_UNSPECIFIED: _ClassVar[TagScheme]
    TAG_SCHEME_IOB1: _ClassVar[TagScheme]
    TAG_SCHEME_IOB2: _ClassVar[TagScheme]
    TAG_SCHEME_IOBES: _ClassVar[TagScheme]
    TAG_SCHEME_IO: _ClassVar[TagScheme]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_ACCEPT: _ClassVar[Verdict]
    VERDICT_REJECT: _ClassVar[Verdict]
    VERDICT_WITHDRAW: _ClassVar[Verdict]

class SnapshotChange(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SNAPSHOT_CHANGE_UNSPECIFIED: _ClassVar[SnapshotChange]
    SNAPSHOT_CHANGE_ADDED: _ClassVar[SnapshotChange]
    SNAPSHOT_CHANGE_REMOVED: _ClassVar[SnapshotChange]
    SNAPSHOT_CHANGE_CHANGED: _ClassVar[SnapshotChange]
TASK_FORMAT_UNSPECIFIED: TaskFormat
TASK_FORMAT_JSONL: TaskFormat
TASK_FORMAT_CONLL: TaskFormat
TASK_FORMAT_GERMEVAL: TaskFormat
TASK_FORMAT_WEBANNO_TSV: TaskFormat
TASK_FORMAT_BRAT: TaskFormat
TASK_FORMAT_LABEL_STUDIO: TaskFormat
TASK_FORMAT_LABEL_STUDIO_MIN: TaskFormat
TASK_FORMAT_GENERATIVE_AI_LAB: TaskFormat
TASK_FORMAT_DOCCANO: TaskFormat
TASK_FORMAT_PRODIGY: TaskFormat
TASK_FORMAT_SPACY_JSON: TaskFormat
TASK_FORMAT_SPACY_TUPLES: TaskFormat
TASK_FORMAT_SPACY_DOCBIN: TaskFormat
TASK_FORMAT_SPACY_IOB: TaskFormat
TASK_FORMAT_BIOC: TaskFormat
TASK_FORMAT_TEXT: TaskFormat
TASK_FORMAT_CSV: TaskFormat
TASK_FORMAT_FASTTEXT: TaskFormat
TAG_SCHEME_UNSPECIFIED: TagScheme
TAG_SCHEME_IOB1: TagScheme
TAG_SCHEME_IOB2: TagScheme
TAG_SCHEME_IOBES: TagScheme
TAG_SCHEME_IO: TagScheme
VERDICT_UNSPECIFIED: Verdict
VERDICT_ACCEPT: Verdict
VERDICT_REJECT: Verdict
VERDICT_WITHDRAW: Verdict
SNAPSHOT_CHANGE_UNSPECIFIED: SnapshotChange
SNAPSHOT_CHANGE_ADDED: SnapshotChange
SNAPSHOT_CHANGE_REMOVED: SnapshotChange
SNAPSHOT_CHANGE_CHANGED: SnapshotChange

class CreateProjectRequest(_message.Message):
    __slots__ = ("project_id", "project", "request_id")
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    project_id: str
    project: _project_pb2.Project
    request_id: str
    def __init__(self, project_id: _Optional[str] = ..., project: _Optional[_Union[_project_pb2.Project, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateProjectResponse(_message.Message):
    __slots__ = ("project",)
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    project: _project_pb2.Project
    def __init__(self, project: _Optional[_Union[_project_pb2.Project, _Mapping]] = ...) -> None: ...

class GetProjectRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetProjectResponse(_message.Message):
    __slots__ = ("project",)
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    project: _project_pb2.Project
    def __init__(self, project: _Optional[_Union[_project_pb2.Project, _Mapping]] = ...) -> None: ...

class ListProjectsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListProjectsResponse(_message.Message):
    __slots__ = ("projects", "next_page_token")
    PROJECTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    projects: _containers.RepeatedCompositeFieldContainer[_project_pb2.Project]
    next_page_token: str
    def __init__(self, projects: _Optional[_Iterable[_Union[_project_pb2.Project, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateProjectRequest(_message.Message):
    __slots__ = ("project", "update_mask")
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    project: _project_pb2.Project
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, project: _Optional[_Union[_project_pb2.Project, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateProjectResponse(_message.Message):
    __slots__ = ("project",)
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    project: _project_pb2.Project
    def __init__(self, project: _Optional[_Union[_project_pb2.Project, _Mapping]] = ...) -> None: ...

class CreateLabelRequest(_message.Message):
    __slots__ = ("parent", "label", "request_id")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    parent: str
    label: _label_pb2.Label
    request_id: str
    def __init__(self, parent: _Optional[str] = ..., label: _Optional[_Union[_label_pb2.Label, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateLabelResponse(_message.Message):
    __slots__ = ("label",)
    LABEL_FIELD_NUMBER: _ClassVar[int]
    label: _label_pb2.Label
    def __init__(self, label: _Optional[_Union[_label_pb2.Label, _Mapping]] = ...) -> None: ...

class GetLabelRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetLabelResponse(_message.Message):
    __slots__ = ("label",)
    LABEL_FIELD_NUMBER: _ClassVar[int]
    label: _label_pb2.Label
    def __init__(self, label: _Optional[_Union[_label_pb2.Label, _Mapping]] = ...) -> None: ...

class ListLabelsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListLabelsResponse(_message.Message):
    __slots__ = ("labels", "next_page_token")
    LABELS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedCompositeFieldContainer[_label_pb2.Label]
    next_page_token: str
    def __init__(self, labels: _Optional[_Iterable[_Union[_label_pb2.Label, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateLabelRequest(_message.Message):
    __slots__ = ("label", "update_mask")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    label: _label_pb2.Label
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, label: _Optional[_Union[_label_pb2.Label, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateLabelResponse(_message.Message):
    __slots__ = ("label",)
    LABEL_FIELD_NUMBER: _ClassVar[int]
    label: _label_pb2.Label
    def __init__(self, label: _Optional[_Union[_label_pb2.Label, _Mapping]] = ...) -> None: ...

class CountLabelsRequest(_message.Message):
    __slots__ = ("parent", "filter")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    parent: str
    filter: _selection_pb2.TaskFilter
    def __init__(self, parent: _Optional[str] = ..., filter: _Optional[_Union[_selection_pb2.TaskFilter, _Mapping]] = ...) -> None: ...

class CountLabelsResponse(_message.Message):
    __slots__ = ("labels",)
    LABELS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.RepeatedCompositeFieldContainer[_label_pb2.Label]
    def __init__(self, labels: _Optional[_Iterable[_Union[_label_pb2.Label, _Mapping]]] = ...) -> None: ...

class ImportTasksHeader(_message.Message):
    __slots__ = ("parent", "format", "split", "author", "offset_encoding", "create_labels", "ignore_completions", "source_name", "atomic", "validate_only", "tags", "tag_scheme", "repair_tags", "separator", "text_column", "label_column", "choices_name", "whole_file", "file_name", "ignore_predictions", "as_drafts")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    CREATE_LABELS_FIELD_NUMBER: _ClassVar[int]
    IGNORE_COMPLETIONS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_NAME_FIELD_NUMBER: _ClassVar[int]
    ATOMIC_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    TAG_SCHEME_FIELD_NUMBER: _ClassVar[int]
    REPAIR_TAGS_FIELD_NUMBER: _ClassVar[int]
    SEPARATOR_FIELD_NUMBER: _ClassVar[int]
    TEXT_COLUMN_FIELD_NUMBER: _ClassVar[int]
    LABEL_COLUMN_FIELD_NUMBER: _ClassVar[int]
    CHOICES_NAME_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FILE_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    IGNORE_PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    AS_DRAFTS_FIELD_NUMBER: _ClassVar[int]
    parent: str
    format: TaskFormat
    split: _evaluation_pb2.Split
    author: str
    offset_encoding: _text_pb2.TextOffsetEncoding
    create_labels: bool
    ignore_completions: bool
    source_name: str
    atomic: bool
    validate_only: bool
    tags: _containers.RepeatedScalarFieldContainer[str]
    tag_scheme: TagScheme
    repair_tags: bool
    separator: str
    text_column: str
    label_column: str
    choices_name: str
    whole_file: bool
    file_name: str
    ignore_predictions: bool
    as_drafts: bool
    def __init__(self, parent: _Optional[str] = ..., format: _Optional[_Union[TaskFormat, str]] = ..., split: _Optional[_Union[_evaluation_pb2.Split, str]] = ..., author: _Optional[str] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ..., create_labels: _Optional[bool] = ..., ignore_completions: _Optional[bool] = ..., source_name: _Optional[str] = ..., atomic: _Optional[bool] = ..., validate_only: _Optional[bool] = ..., tags: _Optional[_Iterable[str]] = ..., tag_scheme: _Optional[_Union[TagScheme, str]] = ..., repair_tags: _Optional[bool] = ..., separator: _Optional[str] = ..., text_column: _Optional[str] = ..., label_column: _Optional[str] = ..., choices_name: _Optional[str] = ..., whole_file: _Optional[bool] = ..., file_name: _Optional[str] = ..., ignore_predictions: _Optional[bool] = ..., as_drafts: _Optional[bool] = ...) -> None: ...

class ImportTasksRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: ImportTasksHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[ImportTasksHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class ImportError(_message.Message):
    __slots__ = ("line", "reason", "field", "message")
    LINE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    line: int
    reason: str
    field: str
    message: str
    def __init__(self, line: _Optional[int] = ..., reason: _Optional[str] = ..., field: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ImportTasksResponse(_message.Message):
    __slots__ = ("imported_tasks", "imported_completions", "imported_spans", "unchanged_tasks", "refused_tasks", "errors", "created_labels", "format", "warnings", "imported_predictions", "imported_relations", "imported_regions", "imported_choices", "warning_count")
    IMPORTED_TASKS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_COMPLETIONS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_SPANS_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_TASKS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_TASKS_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    CREATED_LABELS_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_RELATIONS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_REGIONS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_CHOICES_FIELD_NUMBER: _ClassVar[int]
    WARNING_COUNT_FIELD_NUMBER: _ClassVar[int]
    imported_tasks: int
    imported_completions: int
    imported_spans: int
    unchanged_tasks: int
    refused_tasks: int
    errors: _containers.RepeatedCompositeFieldContainer[ImportError]
    created_labels: _containers.RepeatedScalarFieldContainer[str]
    format: TaskFormat
    warnings: _containers.RepeatedCompositeFieldContainer[ImportNotice]
    imported_predictions: int
    imported_relations: int
    imported_regions: int
    imported_choices: int
    warning_count: int
    def __init__(self, imported_tasks: _Optional[int] = ..., imported_completions: _Optional[int] = ..., imported_spans: _Optional[int] = ..., unchanged_tasks: _Optional[int] = ..., refused_tasks: _Optional[int] = ..., errors: _Optional[_Iterable[_Union[ImportError, _Mapping]]] = ..., created_labels: _Optional[_Iterable[str]] = ..., format: _Optional[_Union[TaskFormat, str]] = ..., warnings: _Optional[_Iterable[_Union[ImportNotice, _Mapping]]] = ..., imported_predictions: _Optional[int] = ..., imported_relations: _Optional[int] = ..., imported_regions: _Optional[int] = ..., imported_choices: _Optional[int] = ..., warning_count: _Optional[int] = ...) -> None: ...

class ImportNotice(_message.Message):
    __slots__ = ("line", "message")
    LINE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    line: int
    message: str
    def __init__(self, line: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class ExportTasksRequest(_message.Message):
    __slots__ = ("parent", "format", "status", "offset_encoding", "filter", "tag_scheme", "separator", "choices_name")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    TAG_SCHEME_FIELD_NUMBER: _ClassVar[int]
    SEPARATOR_FIELD_NUMBER: _ClassVar[int]
    CHOICES_NAME_FIELD_NUMBER: _ClassVar[int]
    parent: str
    format: TaskFormat
    status: _task_pb2.TaskStatus
    offset_encoding: _text_pb2.TextOffsetEncoding
    filter: _selection_pb2.TaskFilter
    tag_scheme: TagScheme
    separator: str
    choices_name: str
    def __init__(self, parent: _Optional[str] = ..., format: _Optional[_Union[TaskFormat, str]] = ..., status: _Optional[_Union[_task_pb2.TaskStatus, str]] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ..., filter: _Optional[_Union[_selection_pb2.TaskFilter, _Mapping]] = ..., tag_scheme: _Optional[_Union[TagScheme, str]] = ..., separator: _Optional[str] = ..., choices_name: _Optional[str] = ...) -> None: ...

class ExportTasksResponse(_message.Message):
    __slots__ = ("chunk", "exported_tasks", "omitted_spans", "omitted")
    class OmittedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    EXPORTED_TASKS_FIELD_NUMBER: _ClassVar[int]
    OMITTED_SPANS_FIELD_NUMBER: _ClassVar[int]
    OMITTED_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    exported_tasks: int
    omitted_spans: int
    omitted: _containers.ScalarMap[str, int]
    def __init__(self, chunk: _Optional[bytes] = ..., exported_tasks: _Optional[int] = ..., omitted_spans: _Optional[int] = ..., omitted: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ExportSnapshotRequest(_message.Message):
    __slots__ = ("name", "format", "split", "offset_encoding", "tag_scheme", "separator", "choices_name")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    TAG_SCHEME_FIELD_NUMBER: _ClassVar[int]
    SEPARATOR_FIELD_NUMBER: _ClassVar[int]
    CHOICES_NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    format: TaskFormat
    split: _evaluation_pb2.Split
    offset_encoding: _text_pb2.TextOffsetEncoding
    tag_scheme: TagScheme
    separator: str
    choices_name: str
    def __init__(self, name: _Optional[str] = ..., format: _Optional[_Union[TaskFormat, str]] = ..., split: _Optional[_Union[_evaluation_pb2.Split, str]] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ..., tag_scheme: _Optional[_Union[TagScheme, str]] = ..., separator: _Optional[str] = ..., choices_name: _Optional[str] = ...) -> None: ...

class ExportSnapshotResponse(_message.Message):
    __slots__ = ("chunk", "exported_examples", "omitted")
    class OmittedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    EXPORTED_EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    OMITTED_FIELD_NUMBER: _ClassVar[int]
    chunk: bytes
    exported_examples: int
    omitted: _containers.ScalarMap[str, int]
    def __init__(self, chunk: _Optional[bytes] = ..., exported_examples: _Optional[int] = ..., omitted: _Optional[_Mapping[str, int]] = ...) -> None: ...

class CreateTaskRequest(_message.Message):
    __slots__ = ("parent", "task", "request_id")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    parent: str
    task: _task_pb2.Task
    request_id: str
    def __init__(self, parent: _Optional[str] = ..., task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: _task_pb2.Task
    def __init__(self, task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ...) -> None: ...

class GetTaskRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: _task_pb2.Task
    def __init__(self, task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ...) -> None: ...

class ListTasksRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token", "statuses", "external_id", "filter", "deleted")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    statuses: _containers.RepeatedScalarFieldContainer[_task_pb2.TaskStatus]
    external_id: str
    filter: _selection_pb2.TaskFilter
    deleted: bool
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., statuses: _Optional[_Iterable[_Union[_task_pb2.TaskStatus, str]]] = ..., external_id: _Optional[str] = ..., filter: _Optional[_Union[_selection_pb2.TaskFilter, _Mapping]] = ..., deleted: _Optional[bool] = ...) -> None: ...

class ListTasksResponse(_message.Message):
    __slots__ = ("tasks", "next_page_token")
    TASKS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tasks: _containers.RepeatedCompositeFieldContainer[_task_pb2.Task]
    next_page_token: str
    def __init__(self, tasks: _Optional[_Iterable[_Union[_task_pb2.Task, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateTaskRequest(_message.Message):
    __slots__ = ("task", "update_mask")
    TASK_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    task: _task_pb2.Task
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: _task_pb2.Task
    def __init__(self, task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ...) -> None: ...

class TagTasksRequest(_message.Message):
    __slots__ = ("parent", "tasks", "add", "remove")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    ADD_FIELD_NUMBER: _ClassVar[int]
    REMOVE_FIELD_NUMBER: _ClassVar[int]
    parent: str
    tasks: _containers.RepeatedScalarFieldContainer[str]
    add: _containers.RepeatedScalarFieldContainer[str]
    remove: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, parent: _Optional[str] = ..., tasks: _Optional[_Iterable[str]] = ..., add: _Optional[_Iterable[str]] = ..., remove: _Optional[_Iterable[str]] = ...) -> None: ...

class TagTasksResponse(_message.Message):
    __slots__ = ("changed",)
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    changed: int
    def __init__(self, changed: _Optional[int] = ...) -> None: ...

class DeleteTaskRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: _task_pb2.Task
    def __init__(self, task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ...) -> None: ...

class UndeleteTaskRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class UndeleteTaskResponse(_message.Message):
    __slots__ = ("task",)
    TASK_FIELD_NUMBER: _ClassVar[int]
    task: _task_pb2.Task
    def __init__(self, task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ...) -> None: ...

class PurgeTaskRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class PurgeTaskResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CreateCompletionRequest(_message.Message):
    __slots__ = ("parent", "completion", "submit", "offset_encoding", "request_id")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    parent: str
    completion: _completion_pb2.Completion
    submit: bool
    offset_encoding: _text_pb2.TextOffsetEncoding
    request_id: str
    def __init__(self, parent: _Optional[str] = ..., completion: _Optional[_Union[_completion_pb2.Completion, _Mapping]] = ..., submit: _Optional[bool] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateCompletionResponse(_message.Message):
    __slots__ = ("completion",)
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    completion: _completion_pb2.Completion
    def __init__(self, completion: _Optional[_Union[_completion_pb2.Completion, _Mapping]] = ...) -> None: ...

class GetCompletionRequest(_message.Message):
    __slots__ = ("name", "offset_encoding")
    NAME_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    name: str
    offset_encoding: _text_pb2.TextOffsetEncoding
    def __init__(self, name: _Optional[str] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ...) -> None: ...

class GetCompletionResponse(_message.Message):
    __slots__ = ("completion",)
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    completion: _completion_pb2.Completion
    def __init__(self, completion: _Optional[_Union[_completion_pb2.Completion, _Mapping]] = ...) -> None: ...

class ListCompletionsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token", "offset_encoding", "show_deleted")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    SHOW_DELETED_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    offset_encoding: _text_pb2.TextOffsetEncoding
    show_deleted: bool
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ..., show_deleted: _Optional[bool] = ...) -> None: ...

class ListCompletionsResponse(_message.Message):
    __slots__ = ("completions", "next_page_token")
    COMPLETIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    completions: _containers.RepeatedCompositeFieldContainer[_completion_pb2.Completion]
    next_page_token: str
    def __init__(self, completions: _Optional[_Iterable[_Union[_completion_pb2.Completion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateCompletionRequest(_message.Message):
    __slots__ = ("completion", "update_mask", "offset_encoding")
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    completion: _completion_pb2.Completion
    update_mask: _field_mask_pb2.FieldMask
    offset_encoding: _text_pb2.TextOffsetEncoding
    def __init__(self, completion: _Optional[_Union[_completion_pb2.Completion, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ...) -> None: ...

class UpdateCompletionResponse(_message.Message):
    __slots__ = ("completion",)
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    completion: _completion_pb2.Completion
    def __init__(self, completion: _Optional[_Union[_completion_pb2.Completion, _Mapping]] = ...) -> None: ...

class SubmitCompletionRequest(_message.Message):
    __slots__ = ("name", "etag", "offset_encoding")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    offset_encoding: _text_pb2.TextOffsetEncoding
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ...) -> None: ...

class SubmitCompletionResponse(_message.Message):
    __slots__ = ("completion",)
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    completion: _completion_pb2.Completion
    def __init__(self, completion: _Optional[_Union[_completion_pb2.Completion, _Mapping]] = ...) -> None: ...

class ReviewCompletionRequest(_message.Message):
    __slots__ = ("name", "verdict", "comment", "reviewer", "etag", "offset_encoding")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    REVIEWER_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    name: str
    verdict: Verdict
    comment: str
    reviewer: str
    etag: str
    offset_encoding: _text_pb2.TextOffsetEncoding
    def __init__(self, name: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., comment: _Optional[str] = ..., reviewer: _Optional[str] = ..., etag: _Optional[str] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ...) -> None: ...

class ReviewCompletionResponse(_message.Message):
    __slots__ = ("completion",)
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    completion: _completion_pb2.Completion
    def __init__(self, completion: _Optional[_Union[_completion_pb2.Completion, _Mapping]] = ...) -> None: ...

class StarCompletionRequest(_message.Message):
    __slots__ = ("name", "unstar", "offset_encoding")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UNSTAR_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    name: str
    unstar: bool
    offset_encoding: _text_pb2.TextOffsetEncoding
    def __init__(self, name: _Optional[str] = ..., unstar: _Optional[bool] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ...) -> None: ...

class StarCompletionResponse(_message.Message):
    __slots__ = ("completion",)
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    completion: _completion_pb2.Completion
    def __init__(self, completion: _Optional[_Union[_completion_pb2.Completion, _Mapping]] = ...) -> None: ...

class DeleteCompletionRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteCompletionResponse(_message.Message):
    __slots__ = ("completion",)
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    completion: _completion_pb2.Completion
    def __init__(self, completion: _Optional[_Union[_completion_pb2.Completion, _Mapping]] = ...) -> None: ...

class UndeleteCompletionRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class UndeleteCompletionResponse(_message.Message):
    __slots__ = ("completion",)
    COMPLETION_FIELD_NUMBER: _ClassVar[int]
    completion: _completion_pb2.Completion
    def __init__(self, completion: _Optional[_Union[_completion_pb2.Completion, _Mapping]] = ...) -> None: ...

class WritePredictionsRequest(_message.Message):
    __slots__ = ("parent", "predictions")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    parent: str
    predictions: _containers.RepeatedCompositeFieldContainer[_prediction_pb2.Prediction]
    def __init__(self, parent: _Optional[str] = ..., predictions: _Optional[_Iterable[_Union[_prediction_pb2.Prediction, _Mapping]]] = ...) -> None: ...

class WritePredictionsResponse(_message.Message):
    __slots__ = ("written", "unchanged")
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    written: int
    unchanged: int
    def __init__(self, written: _Optional[int] = ..., unchanged: _Optional[int] = ...) -> None: ...

class ListPredictionsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token", "generation", "offset_encoding", "tasks", "sources_only")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_ONLY_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    generation: str
    offset_encoding: _text_pb2.TextOffsetEncoding
    tasks: _containers.RepeatedScalarFieldContainer[str]
    sources_only: bool
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., generation: _Optional[str] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ..., tasks: _Optional[_Iterable[str]] = ..., sources_only: _Optional[bool] = ...) -> None: ...

class ListPredictionsResponse(_message.Message):
    __slots__ = ("predictions", "next_page_token")
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    predictions: _containers.RepeatedCompositeFieldContainer[_prediction_pb2.Prediction]
    next_page_token: str
    def __init__(self, predictions: _Optional[_Iterable[_Union[_prediction_pb2.Prediction, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class PreviewSelectionRequest(_message.Message):
    __slots__ = ("parent", "selection", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    selection: _selection_pb2.Selection
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., selection: _Optional[_Union[_selection_pb2.Selection, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class PreviewSelectionResponse(_message.Message):
    __slots__ = ("decisions", "next_page_token")
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    decisions: _containers.RepeatedCompositeFieldContainer[_selection_pb2.TaskDecision]
    next_page_token: str
    def __init__(self, decisions: _Optional[_Iterable[_Union[_selection_pb2.TaskDecision, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreateSnapshotRequest(_message.Message):
    __slots__ = ("parent", "split_policy", "request_id", "selection", "description")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    SPLIT_POLICY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SELECTION_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    parent: str
    split_policy: _snapshot_pb2.SplitPolicy
    request_id: str
    selection: _selection_pb2.Selection
    description: str
    def __init__(self, parent: _Optional[str] = ..., split_policy: _Optional[_Union[_snapshot_pb2.SplitPolicy, _Mapping]] = ..., request_id: _Optional[str] = ..., selection: _Optional[_Union[_selection_pb2.Selection, _Mapping]] = ..., description: _Optional[str] = ...) -> None: ...

class CreateSnapshotResponse(_message.Message):
    __slots__ = ("snapshot",)
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    snapshot: _snapshot_pb2.Snapshot
    def __init__(self, snapshot: _Optional[_Union[_snapshot_pb2.Snapshot, _Mapping]] = ...) -> None: ...

class GetSnapshotRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetSnapshotResponse(_message.Message):
    __slots__ = ("snapshot",)
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    snapshot: _snapshot_pb2.Snapshot
    def __init__(self, snapshot: _Optional[_Union[_snapshot_pb2.Snapshot, _Mapping]] = ...) -> None: ...

class ListSnapshotsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSnapshotsResponse(_message.Message):
    __slots__ = ("snapshots", "next_page_token")
    SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    snapshots: _containers.RepeatedCompositeFieldContainer[_snapshot_pb2.Snapshot]
    next_page_token: str
    def __init__(self, snapshots: _Optional[_Iterable[_Union[_snapshot_pb2.Snapshot, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ReadSnapshotRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ReadSnapshotResponse(_message.Message):
    __slots__ = ("examples",)
    EXAMPLES_FIELD_NUMBER: _ClassVar[int]
    examples: _containers.RepeatedCompositeFieldContainer[_snapshot_pb2.SnapshotExample]
    def __init__(self, examples: _Optional[_Iterable[_Union[_snapshot_pb2.SnapshotExample, _Mapping]]] = ...) -> None: ...

class DiffSnapshotsRequest(_message.Message):
    __slots__ = ("base", "target")
    BASE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    base: str
    target: str
    def __init__(self, base: _Optional[str] = ..., target: _Optional[str] = ...) -> None: ...

class SnapshotDifference(_message.Message):
    __slots__ = ("task", "change", "base", "target")
    TASK_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    task: str
    change: SnapshotChange
    base: _snapshot_pb2.SnapshotExample
    target: _snapshot_pb2.SnapshotExample
    def __init__(self, task: _Optional[str] = ..., change: _Optional[_Union[SnapshotChange, str]] = ..., base: _Optional[_Union[_snapshot_pb2.SnapshotExample, _Mapping]] = ..., target: _Optional[_Union[_snapshot_pb2.SnapshotExample, _Mapping]] = ...) -> None: ...

class SnapshotDiffSummary(_message.Message):
    __slots__ = ("added", "removed", "changed", "unchanged", "added_labels", "removed_labels")
    ADDED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    ADDED_LABELS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_LABELS_FIELD_NUMBER: _ClassVar[int]
    added: int
    removed: int
    changed: int
    unchanged: int
    added_labels: _containers.RepeatedScalarFieldContainer[str]
    removed_labels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, added: _Optional[int] = ..., removed: _Optional[int] = ..., changed: _Optional[int] = ..., unchanged: _Optional[int] = ..., added_labels: _Optional[_Iterable[str]] = ..., removed_labels: _Optional[_Iterable[str]] = ...) -> None: ...

class DiffSnapshotsResponse(_message.Message):
    __slots__ = ("differences", "summary")
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    differences: _containers.RepeatedCompositeFieldContainer[SnapshotDifference]
    summary: SnapshotDiffSummary
    def __init__(self, differences: _Optional[_Iterable[_Union[SnapshotDifference, _Mapping]]] = ..., summary: _Optional[_Union[SnapshotDiffSummary, _Mapping]] = ...) -> None: ...

class WatchEventsRequest(_message.Message):
    __slots__ = ("parent", "resume_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    resume_token: str
    def __init__(self, parent: _Optional[str] = ..., resume_token: _Optional[str] = ...) -> None: ...

class WatchEventsResponse(_message.Message):
    __slots__ = ("event", "heartbeat")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    event: _event_pb2.Event
    heartbeat: str
    def __init__(self, event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., heartbeat: _Optional[str] = ...) -> None: ...
