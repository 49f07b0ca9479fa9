"""Whether a job's examples can be trained on: enough of them, and of one mind. Free of torch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from services.trainer.domain import FailureReason, JobFailedError, ModelType, TrainingJob
from services.trainer.job_files import Example

MIN_TRAIN_TEXTS = 4
"""With fewer annotated texts in the train split nothing is trained."""
MAX_CONTRADICTORY_SHARE = 0.2
"""Share of the train texts that may be there again with another annotation."""
_SHOWN = 3
_SHOWN_TEXT = 60


@dataclass(frozen=True, kw_only=True)
class Trainable:
    """What of the examples is trained.

    Attributes:
        labels: Labels, values or statuses with an example in the train split, as trained.
        multiple: Whether several values of the control are chosen at once: what the labelling
            config says, and where any text has several it is so whatever is said.
        warnings: Remarks that do not stop the job.
    """

    labels: tuple[str, ...]
    multiple: bool = False
    warnings: tuple[str, ...] = ()


def check_examples(
    job: TrainingJob, examples: Sequence[Example], labels: Sequence[str]
) -> Trainable:
    """Return what can be trained.

    Args:
        job: The job.
        examples: Its snapshot's.
        labels: For NER the labels to train; for other types what the examples have is trained.

    Raises:
        JobFailedError: NO_TRAINING_DATA, TOO_FEW_COMPLETIONS or CONTRADICTORY_ANNOTATIONS.
    """
    train = [example for example in examples if example.split == "train"]
    counts = Counter(name for example in train for name in _names(job, example))
    wanted = labels if job.model_type is ModelType.NER else sorted(counts)
    trained = tuple(label for label in wanted if counts[label])
    warnings = [
        f"Label {label!r} has no example in the train split and was not trained."
        for label in wanted
        if not counts[label]
    ]
    if not trained:
        raise JobFailedError(
            FailureReason.NO_TRAINING_DATA,
            f"{_nothing(job)}: annotate more texts and take a new snapshot.",
        )
    _check_amount(job, train, examples)
    warnings += _check_agreement(job, train, trained)
    several = job.model_type is ModelType.CLASSIFICATION and any(
        len(set(_names(job, example))) > 1 for example in examples
    )
    return Trainable(labels=trained, multiple=job.multiple or several, warnings=tuple(warnings))


def _nothing(job: TrainingJob) -> str:
    match job.model_type:
        case ModelType.NER:
            return "No label has an example in the train split"
        case ModelType.CLASSIFICATION:
            return f"No text of the train split has a value of the choices {job.control!r}"
        case ModelType.ASSERTION:
            return "No span of the train split has an assertion status"


def _names(job: TrainingJob, example: Example) -> Collection[str]:
    match job.model_type:
        case ModelType.NER:
            return [label for _, _, label in example.spans]
        case ModelType.CLASSIFICATION:
            return [value for control, value in example.choices if control == job.control]
        case ModelType.ASSERTION:
            return [status for _, _, status in example.assertions]


def _check_amount(job: TrainingJob, train: Sequence[Example], examples: Sequence[Example]) -> None:
    if len(train) < MIN_TRAIN_TEXTS:
        raise JobFailedError(
            FailureReason.TOO_FEW_COMPLETIONS,
            f"The train split has {len(train)} completions, and at least {MIN_TRAIN_TEXTS} are "
            "needed: annotate more texts, or choose another split.",
        )
    share = job.parameters.validation_split
    has_dev = any(example.split == "dev" for example in examples)
    # 0 is the caller's word that nothing is to be held out.
    if not has_dev and share and len(train) * share < 1:
        raise JobFailedError(
            FailureReason.TOO_FEW_COMPLETIONS,
            f"The snapshot has no dev split, and {share:g} of {len(train)} train texts is less "
            "than one to hold out: annotate more texts, or raise validation_split.",
        )


def _check_agreement(
    job: TrainingJob, train: Sequence[Example], trained: Sequence[str]
) -> list[str]:
    """Return a warning about equal texts with different annotations.

    The annotation service takes one completion of each task, so these are of different tasks.
    """
    wanted = frozenset(trained)
    annotations: dict[str, list[object]] = defaultdict(list)
    for example in train:
        annotations[example.text].append(_annotation(job, example, wanted))
    contradictory = {text: found for text, found in annotations.items() if len(set(found)) > 1}
    if not contradictory:
        return []
    count = sum(len(found) for found in contradictory.values())
    share = count / len(train)
    some = "; ".join(repr(text[:_SHOWN_TEXT]) for text in sorted(contradictory)[:_SHOWN])
    message = (
        f"{count} of {len(train)} train texts are there again with another annotation, e.g. {some}"
    )
    if share > MAX_CONTRADICTORY_SHARE:
        raise JobFailedError(
            FailureReason.CONTRADICTORY_ANNOTATIONS,
            f"{message}: that is more than {MAX_CONTRADICTORY_SHARE:.0%}. Review these tasks, or "
            "select one annotation of each text.",
        )
    return [f"{message}."]


def _annotation(job: TrainingJob, example: Example, wanted: frozenset[str]) -> object:
    """Return what is trained of an example, comparable."""
    match job.model_type:
        case ModelType.NER:
            return frozenset(span for span in example.spans if span[2] in wanted)
        case ModelType.CLASSIFICATION:
            return frozenset(_names(job, example))
        case ModelType.ASSERTION:
            return frozenset(example.assertions)


def split_counts(examples: Sequence[Example]) -> Mapping[str, int]:
    """Return the number of examples by split."""
    return Counter(example.split for example in examples)
