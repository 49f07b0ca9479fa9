"""Configs that are to be used, and annotations that must fit one."""

from __future__ import annotations

from services.annotation.content import Content
from services.annotation.labeling.config import ChoiceMode, LabelingConfig, Severity
from services.annotation.labeling.parse import parse
from services.annotation.labeling.validate import validate
from services.common.errors import FailedPreconditionError, Reason, invalid_field


def usable_config(xml: str, field: str) -> LabelingConfig | None:
    """Return a config that can be used, or None for an empty text.

    Raises:
        FailedPreconditionError: LABELING_CONFIG_INVALID: it has errors.
    """
    if not xml:
        return None
    errors = [one for one in validate(xml) if one.severity is Severity.ERROR]
    config, _ = parse(xml)
    if errors or config is None:
        first = errors[0]
        more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
        raise FailedPreconditionError(
            Reason.LABELING_CONFIG_INVALID,
            f"{field}, line {first.place.line}, column {first.place.column}: {first.message}{more} "
            "ValidateLabelingConfig lists all problems.",
            metadata={
                "field": field,
                "line": str(first.place.line),
                "column": str(first.place.column),
                "code": first.code.value,
                "errors": str(len(errors)),
            },
        )
    return config


def label_values_of(config: LabelingConfig) -> list[str]:
    """Return the values of the labels that spans and regions carry, in order of the config."""
    return list(dict.fromkeys(label.exported for label in config.ner_labels()))


def check_against_config(content: Content, config: LabelingConfig, field: str) -> None:
    """Return when the choices, statuses and relations of a content are those of a config.

    Raises:
        InvalidArgumentError: FIELD_INVALID.
    """
    for index, choices in enumerate(content.choices):
        found = config.choice(choices.name)
        place = f"{field}.choices[{index}]"
        if found is None:
            names = ", ".join(one.name for one in config.choices) or "none"
            raise invalid_field(
                f"{place}.name",
                f"the labelling config has no choices {choices.name!r}; it has: {names}.",
            )
        allowed = {one.exported for one in found.choices}
        wrong = next((one for one in choices.values if one not in allowed), None)
        if wrong is not None and not found.dynamic:
            raise invalid_field(f"{place}.values", f"{wrong!r} is none of {found.name!r}.")
        if found.mode is not ChoiceMode.MULTIPLE and len(choices.values) > 1:
            raise invalid_field(f"{place}.values", f"only one of {found.name!r} can be chosen.")
    _check_assertions(content, config, field)
    _check_relations(content, config, field)


def _check_assertions(content: Content, config: LabelingConfig, field: str) -> None:
    statuses = {one.exported for one in config.assertion_labels()}
    for index, span in enumerate(content.spans):
        if span.assertion and span.assertion not in statuses:
            known = ", ".join(sorted(statuses)) or "none"
            raise invalid_field(
                f"{field}.spans[{index}].assertion",
                f"{span.assertion!r} is no assertion status of the labelling config; it has: "
                f"{known}.",
            )


def _check_relations(content: Content, config: LabelingConfig, field: str) -> None:
    allowed = {one.value: one for one in config.relations}
    if not allowed:
        return
    labels: dict[str, tuple[str, ...]] = {span.id: (span.label,) for span in content.spans}
    labels.update((region.id, region.labels) for region in content.regions)
    for index, relation in enumerate(content.relations):
        for place, label in enumerate(relation.labels):
            found = allowed.get(label)
            if found is None:
                raise invalid_field(
                    f"{field}.relations[{index}].labels[{place}]",
                    f"the labelling config has no relation {label!r}.",
                )
            ends = [
                (source, target)
                for source in labels.get(relation.source, ())
                for target in labels.get(relation.target, ())
            ]
            pairs = set(found.allowed)
            if found.both_ways:
                pairs |= {(target, source) for source, target in pairs}
            if pairs and not pairs.intersection(ends):
                raise invalid_field(
                    f"{field}.relations[{index}]",
                    f"{label!r} cannot join these: it joins "
                    + ", ".join(f"{source} and {target}" for source, target in found.allowed)
                    + ".",
                )
