from google.protobuf import field_mask_pb2 as _field_mask_pb2
from spanloop.trainer.v1 import training_settings_pb2 as _training_settings_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetTrainingSettingsRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetTrainingSettingsResponse(_message.Message):
    __slots__ = ("training_settings",)
    TRAINING_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    training_settings: _training_settings_pb2.TrainingSettings
    def __init__(self, training_settings: _Optional[_Union[_training_settings_pb2.TrainingSettings, _Mapping]] = ...) -> None: ...

class UpdateTrainingSettingsRequest(_message.Message):
    __slots__ = ("training_settings", "update_mask")
    TRAINING_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    training_settings: _training_settings_pb2.TrainingSettings
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, training_settings: _Optional[_Union[_training_settings_pb2.TrainingSettings, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateTrainingSettingsResponse(_message.Message):
    __slots__ = ("training_settings",)
    TRAINING_SETTINGS_FIELD_NUMBER: _ClassVar[int]
    training_settings: _training_settings_pb2.TrainingSettings
    def __init__(self, training_settings: _Optional[_Union[_training_settings_pb2.TrainingSettings, _Mapping]] = ...) -> None: ...

class GetActiveLearningStateRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetActiveLearningStateResponse(_message.Message):
    __slots__ = ("active_learning_state",)
    ACTIVE_LEARNING_STATE_FIELD_NUMBER: _ClassVar[int]
    active_learning_state: _training_settings_pb2.ActiveLearningState
    def __init__(self, active_learning_state: _Optional[_Union[_training_settings_pb2.ActiveLearningState, _Mapping]] = ...) -> None: ...
