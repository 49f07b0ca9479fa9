"""Which task a request asks for."""

from __future__ import annotations

from services.trainer.engines.assertion_task import AssertionTask
from services.trainer.engines.choices_task import ChoicesTask
from services.trainer.engines.interface import EngineError, NoTrainingDataError, TrainRequest
from services.trainer.engines.tags_task import TagsTask
from services.trainer.engines.task import Task


def task_of(request: TrainRequest) -> Task:
    """Return the task of a request.

    Raises:
        NoTrainingDataError: It names too few labels, values or statuses.
        EngineError: It is of an unknown type, or a classification without control.
    """
    if not request.labels:
        raise NoTrainingDataError("there is no label, value or status to train")
    match request.model_type:
        case "ner":
            return TagsTask(request.labels)
        case "classification":
            if not request.control:
                raise EngineError("a classification needs the name of its control")
            return ChoicesTask(request.control, request.labels, multiple=request.multiple)
        case "assertion":
            return AssertionTask(request.labels)
        case other:
            raise EngineError(
                f"model type {other!r} is unknown: use ner, classification or assertion"
            )
