"""Messages of labelling configs."""

from __future__ import annotations

from services.annotation.convert.basic import known
from services.annotation.labeling.config import (
    ChoiceMode,
    ConfigChoices,
    KnownModel,
    ModelType,
    Problem,
)
from services.annotation.labeling.handler import Validated
from spanloop.annotation.v1 import labeling_service_pb2 as pb

_TYPES: dict[pb.ConfigModelType, ModelType | None] = {
    pb.CONFIG_MODEL_TYPE_UNSPECIFIED: None,
    pb.CONFIG_MODEL_TYPE_NER: ModelType.NER,
    pb.CONFIG_MODEL_TYPE_ASSERTION: ModelType.ASSERTION,
    pb.CONFIG_MODEL_TYPE_CLASSIFICATION: ModelType.CLASSIFICATION,
}


def models_of(request: pb.ValidateLabelingConfigRequest) -> list[KnownModel] | None:
    """Read the models that exist; None when that is not to be looked at."""
    if not request.check_models:
        return None
    return [
        KnownModel(
            name=one.name,
            type=known(_TYPES, one.type, f"models[{place}].type", "ConfigModelType"),
            labels=tuple(one.labels),
        )
        for place, one in enumerate(request.models)
    ]


def validated_message(found: Validated) -> pb.ValidateLabelingConfigResponse:
    """Return what is wrong with a config, and what it says."""
    config = found.config
    trained = None if config is None else config.classifier_to_train()
    return pb.ValidateLabelingConfigResponse(
        problems=map(_problem_message, found.problems),
        labels=found.labels,
        assertion_labels=[] if config is None else [e.exported for e in config.assertion_labels()],
        choices=[] if config is None else [one.name for one in config.choices],
        trained_choices="" if trained is None else trained.name,
        choice_controls=[] if config is None else map(_choices_message, config.choices),
    )


def _choices_message(choices: ConfigChoices) -> pb.ConfigChoices:
    return pb.ConfigChoices(
        name=choices.name,
        multiple=choices.mode is ChoiceMode.MULTIPLE,
        values=[choice.exported for choice in choices.choices],
        train=choices.train,
    )


def _problem_message(problem: Problem) -> pb.LabelingProblem:
    return pb.LabelingProblem(
        line=problem.place.line,
        column=problem.place.column,
        severity=f"SEVERITY_{problem.severity.value}",
        code=problem.code.value,
        message=problem.message,
    )
