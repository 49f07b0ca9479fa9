from spanloop.annotation.v1 import selection_pb2 as _selection_pb2
from spanloop.annotation.v1 import task_pb2 as _task_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SuggestionStrategy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUGGESTION_STRATEGY_UNSPECIFIED: _ClassVar[SuggestionStrategy]
    SUGGESTION_STRATEGY_RANDOM: _ClassVar[SuggestionStrategy]
    SUGGESTION_STRATEGY_SEQUENTIAL: _ClassVar[SuggestionStrategy]
    SUGGESTION_STRATEGY_LEAST_CONFIDENCE: _ClassVar[SuggestionStrategy]
    SUGGESTION_STRATEGY_MARGIN: _ClassVar[SuggestionStrategy]
    SUGGESTION_STRATEGY_ENTROPY: _ClassVar[SuggestionStrategy]
    SUGGESTION_STRATEGY_DIVERSITY: _ClassVar[SuggestionStrategy]
    SUGGESTION_STRATEGY_MIXED: _ClassVar[SuggestionStrategy]
SUGGESTION_STRATEGY_UNSPECIFIED: SuggestionStrategy
SUGGESTION_STRATEGY_RANDOM: SuggestionStrategy
SUGGESTION_STRATEGY_SEQUENTIAL: SuggestionStrategy
SUGGESTION_STRATEGY_LEAST_CONFIDENCE: SuggestionStrategy
SUGGESTION_STRATEGY_MARGIN: SuggestionStrategy
SUGGESTION_STRATEGY_ENTROPY: SuggestionStrategy
SUGGESTION_STRATEGY_DIVERSITY: SuggestionStrategy
SUGGESTION_STRATEGY_MIXED: SuggestionStrategy

class StrategyWeight(_message.Message):
    __slots__ = ("strategy", "weight")
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    strategy: SuggestionStrategy
    weight: float
    def __init__(self, strategy: _Optional[_Union[SuggestionStrategy, str]] = ..., weight: _Optional[float] = ...) -> None: ...

class SuggestTasksRequest(_message.Message):
    __slots__ = ("parent", "strategy", "count", "seed", "filter", "mix")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    STRATEGY_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    MIX_FIELD_NUMBER: _ClassVar[int]
    parent: str
    strategy: SuggestionStrategy
    count: int
    seed: int
    filter: _selection_pb2.TaskFilter
    mix: _containers.RepeatedCompositeFieldContainer[StrategyWeight]
    def __init__(self, parent: _Optional[str] = ..., strategy: _Optional[_Union[SuggestionStrategy, str]] = ..., count: _Optional[int] = ..., seed: _Optional[int] = ..., filter: _Optional[_Union[_selection_pb2.TaskFilter, _Mapping]] = ..., mix: _Optional[_Iterable[_Union[StrategyWeight, _Mapping]]] = ...) -> None: ...

class SuggestedTask(_message.Message):
    __slots__ = ("task", "score", "prediction", "rank_known")
    TASK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PREDICTION_FIELD_NUMBER: _ClassVar[int]
    RANK_KNOWN_FIELD_NUMBER: _ClassVar[int]
    task: _task_pb2.Task
    score: float
    prediction: str
    rank_known: bool
    def __init__(self, task: _Optional[_Union[_task_pb2.Task, _Mapping]] = ..., score: _Optional[float] = ..., prediction: _Optional[str] = ..., rank_known: _Optional[bool] = ...) -> None: ...

class SuggestTasksResponse(_message.Message):
    __slots__ = ("suggestions", "open_tasks")
    SUGGESTIONS_FIELD_NUMBER: _ClassVar[int]
    OPEN_TASKS_FIELD_NUMBER: _ClassVar[int]
    suggestions: _containers.RepeatedCompositeFieldContainer[SuggestedTask]
    open_tasks: int
    def __init__(self, suggestions: _Optional[_Iterable[_Union[SuggestedTask, _Mapping]]] = ..., open_tasks: _Optional[int] = ...) -> None: ...
