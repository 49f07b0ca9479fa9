import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from spanloop.annotation.v1 import selection_pb2 as _selection_pb2
from spanloop.common.v1 import text_pb2 as _text_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DictionaryRule(_message.Message):
    __slots__ = ("terms", "case_sensitive", "inside_words")
    TERMS_FIELD_NUMBER: _ClassVar[int]
    CASE_SENSITIVE_FIELD_NUMBER: _ClassVar[int]
    INSIDE_WORDS_FIELD_NUMBER: _ClassVar[int]
    terms: _containers.RepeatedScalarFieldContainer[str]
    case_sensitive: bool
    inside_words: bool
    def __init__(self, terms: _Optional[_Iterable[str]] = ..., case_sensitive: _Optional[bool] = ..., inside_words: _Optional[bool] = ...) -> None: ...

class RegexRule(_message.Message):
    __slots__ = ("pattern", "group", "ignore_case")
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    IGNORE_CASE_FIELD_NUMBER: _ClassVar[int]
    pattern: str
    group: int
    ignore_case: bool
    def __init__(self, pattern: _Optional[str] = ..., group: _Optional[int] = ..., ignore_case: _Optional[bool] = ...) -> None: ...

class TokenRule(_message.Message):
    __slots__ = ("patterns",)
    PATTERNS_FIELD_NUMBER: _ClassVar[int]
    patterns: _containers.RepeatedCompositeFieldContainer[_struct_pb2.ListValue]
    def __init__(self, patterns: _Optional[_Iterable[_Union[_struct_pb2.ListValue, _Mapping]]] = ...) -> None: ...

class Rule(_message.Message):
    __slots__ = ("id", "label", "priority", "score", "dictionary", "regex", "tokens")
    ID_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    DICTIONARY_FIELD_NUMBER: _ClassVar[int]
    REGEX_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    id: str
    label: str
    priority: int
    score: float
    dictionary: DictionaryRule
    regex: RegexRule
    tokens: TokenRule
    def __init__(self, id: _Optional[str] = ..., label: _Optional[str] = ..., priority: _Optional[int] = ..., score: _Optional[float] = ..., dictionary: _Optional[_Union[DictionaryRule, _Mapping]] = ..., regex: _Optional[_Union[RegexRule, _Mapping]] = ..., tokens: _Optional[_Union[TokenRule, _Mapping]] = ...) -> None: ...

class RuleSet(_message.Message):
    __slots__ = ("name", "display_name", "rules", "revision", "etag", "create_time", "update_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    revision: int
    etag: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., revision: _Optional[int] = ..., etag: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateRuleSetRequest(_message.Message):
    __slots__ = ("parent", "rule_set_id", "rule_set")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    RULE_SET_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_SET_FIELD_NUMBER: _ClassVar[int]
    parent: str
    rule_set_id: str
    rule_set: RuleSet
    def __init__(self, parent: _Optional[str] = ..., rule_set_id: _Optional[str] = ..., rule_set: _Optional[_Union[RuleSet, _Mapping]] = ...) -> None: ...

class CreateRuleSetResponse(_message.Message):
    __slots__ = ("rule_set",)
    RULE_SET_FIELD_NUMBER: _ClassVar[int]
    rule_set: RuleSet
    def __init__(self, rule_set: _Optional[_Union[RuleSet, _Mapping]] = ...) -> None: ...

class GetRuleSetRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetRuleSetResponse(_message.Message):
    __slots__ = ("rule_set",)
    RULE_SET_FIELD_NUMBER: _ClassVar[int]
    rule_set: RuleSet
    def __init__(self, rule_set: _Optional[_Union[RuleSet, _Mapping]] = ...) -> None: ...

class ListRuleSetsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRuleSetsResponse(_message.Message):
    __slots__ = ("rule_sets", "next_page_token")
    RULE_SETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rule_sets: _containers.RepeatedCompositeFieldContainer[RuleSet]
    next_page_token: str
    def __init__(self, rule_sets: _Optional[_Iterable[_Union[RuleSet, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateRuleSetRequest(_message.Message):
    __slots__ = ("rule_set", "update_mask")
    RULE_SET_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    rule_set: RuleSet
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, rule_set: _Optional[_Union[RuleSet, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateRuleSetResponse(_message.Message):
    __slots__ = ("rule_set",)
    RULE_SET_FIELD_NUMBER: _ClassVar[int]
    rule_set: RuleSet
    def __init__(self, rule_set: _Optional[_Union[RuleSet, _Mapping]] = ...) -> None: ...

class DeleteRuleSetRequest(_message.Message):
    __slots__ = ("name", "etag")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class DeleteRuleSetResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PreviewRulesRequest(_message.Message):
    __slots__ = ("parent", "rules", "rule_set", "text", "offset_encoding")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    RULE_SET_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_ENCODING_FIELD_NUMBER: _ClassVar[int]
    parent: str
    rules: _containers.RepeatedCompositeFieldContainer[Rule]
    rule_set: str
    text: str
    offset_encoding: _text_pb2.TextOffsetEncoding
    def __init__(self, parent: _Optional[str] = ..., rules: _Optional[_Iterable[_Union[Rule, _Mapping]]] = ..., rule_set: _Optional[str] = ..., text: _Optional[str] = ..., offset_encoding: _Optional[_Union[_text_pb2.TextOffsetEncoding, str]] = ...) -> None: ...

class PreviewRulesResponse(_message.Message):
    __slots__ = ("spans",)
    SPANS_FIELD_NUMBER: _ClassVar[int]
    spans: _containers.RepeatedCompositeFieldContainer[_text_pb2.ScoredSpan]
    def __init__(self, spans: _Optional[_Iterable[_Union[_text_pb2.ScoredSpan, _Mapping]]] = ...) -> None: ...

class ApplyRuleSetRequest(_message.Message):
    __slots__ = ("name", "filter")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    name: str
    filter: _selection_pb2.TaskFilter
    def __init__(self, name: _Optional[str] = ..., filter: _Optional[_Union[_selection_pb2.TaskFilter, _Mapping]] = ...) -> None: ...

class ApplyRuleSetResponse(_message.Message):
    __slots__ = ("generation", "tasks", "written", "unchanged", "spans")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    WRITTEN_FIELD_NUMBER: _ClassVar[int]
    UNCHANGED_FIELD_NUMBER: _ClassVar[int]
    SPANS_FIELD_NUMBER: _ClassVar[int]
    generation: str
    tasks: int
    written: int
    unchanged: int
    spans: int
    def __init__(self, generation: _Optional[str] = ..., tasks: _Optional[int] = ..., written: _Optional[int] = ..., unchanged: _Optional[int] = ..., spans: _Optional[int] = ...) -> None: ...
