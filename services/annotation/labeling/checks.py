"""Configs that are to be used, and annotations that must fit one."""

from __future__ import annotations

from services.annotation.content import Content
from services.annotation.labeling.config import (
    ChoiceMode,
    ConfigRelation,
    LabelingConfig,
    Severity,
)
from services.annotation.labeling.parse import parse
from services.annotation.labeling.validate import validate
from services.annotation.labels.table import LabelTable
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


class ConfigChecks:
    """Checks contents against a labelling config; made once for many of them."""

    def __init__(self, config: LabelingConfig) -> None:
        """Look up what the config allows."""
        self._choices = {
            one.name: (one, frozenset(choice.exported for choice in one.choices))
            for one in config.choices
        }
        self._statuses = frozenset(one.exported for one in config.assertion_labels())
        self._relations = {one.value: (one, _pairs(one)) for one in config.relations}

    def check(self, content: Content, table: LabelTable, field: str) -> None:
        """Return when the choices, statuses and relations of a content are those of the config.

        Args:
            content: What is to be stored, with present or former values of labels.
            table: The labels of the project: the config may carry former values as well.
            field: Path of the content, for refusals.

        Raises:
            InvalidArgumentError: FIELD_INVALID.
        """
        self._check_choices(content, field)
        self._check_assertions(content, field)
        if content.relations and self._relations:
            self._check_relations(content, table, field)

    def _check_choices(self, content: Content, field: str) -> None:
        for index, choices in enumerate(content.choices):
            place = f"{field}.choices[{index}]"
            if choices.name not in self._choices:
                names = ", ".join(self._choices) or "none"
                raise invalid_field(
                    f"{place}.name",
                    f"the labelling config has no choices {choices.name!r}; it has: {names}.",
                )
            found, allowed = self._choices[choices.name]
            wrong = next((one for one in choices.values if one not in allowed), None)
            if wrong is not None and not found.dynamic:
                raise invalid_field(f"{place}.values", f"{wrong!r} is none of {found.name!r}.")
            if found.mode is not ChoiceMode.MULTIPLE and len(choices.values) > 1:
                raise invalid_field(f"{place}.values", f"only one of {found.name!r} can be chosen.")

    def _check_assertions(self, content: Content, field: str) -> None:
        for index, span in enumerate(content.spans):
            if span.assertion and span.assertion not in self._statuses:
                known = ", ".join(sorted(self._statuses)) or "none"
                raise invalid_field(
                    f"{field}.spans[{index}].assertion",
                    f"{span.assertion!r} is no assertion status of the labelling config; it has: "
                    f"{known}.",
                )

    def _check_relations(self, content: Content, table: LabelTable, field: str) -> None:
        labels: dict[str, tuple[str, ...]] = {span.id: (span.label,) for span in content.spans}
        labels.update((region.id, region.labels) for region in content.regions)
        for index, relation in enumerate(content.relations):
            sources, targets = (
                [name for label in labels.get(end, ()) for name in table.names_of(label)]
                for end in (relation.source, relation.target)
            )
            for place, label in enumerate(relation.labels):
                if label not in self._relations:
                    raise invalid_field(
                        f"{field}.relations[{index}].labels[{place}]",
                        f"the labelling config has no relation {label!r}.",
                    )
                found, pairs = self._relations[label]
                if pairs and not any(
                    (source, target) in pairs for source in sources for target in targets
                ):
                    joined = ", ".join(
                        f"{table.current(source)} and {table.current(target)}"
                        for source, target in found.allowed
                    )
                    raise invalid_field(
                        f"{field}.relations[{index}]",
                        f"{label!r} cannot join these: it joins {joined}.",
                    )


def _pairs(relation: ConfigRelation) -> frozenset[tuple[str, str]]:
    """Return the pairs of labels that a relation may join, from source to target."""
    pairs = set(relation.allowed)
    if relation.both_ways:
        pairs |= {(target, source) for source, target in relation.allowed}
    return frozenset(pairs)
