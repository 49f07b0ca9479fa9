"""All labels of a project at once: which exist, which were renamed, whose positives are whose."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from services.annotation.content import Content, Region, ScoredSpan, Span
from services.annotation.domain import Label, Task
from services.annotation.labels.merging import key_of, merged, merged_scored
from services.common.errors import invalid_field


class LabelTable:
    """Looks up labels by value. Built anew whenever a label changes; never changed itself.

    Annotations keep the value that a label had when they were made. A value that a label had
    before stays reserved for it, so reading can put the present one in its place.
    """

    def __init__(self, labels: Iterable[Label]) -> None:
        """Take all labels of one project, in order of creation."""
        self.labels = tuple(labels)
        self._by_value = {label.value: label for label in self.labels}
        self._current = {
            former: label.value
            for label in self.labels
            for former in label.former_values
            if former not in self._by_value
        }
        self._aliases: dict[str, list[str]] = {}
        for label in self.labels:
            if label.alias_as:
                self._aliases.setdefault(self.current(label.alias_as), []).append(label.value)

    @property
    def values(self) -> list[str]:
        """The present values, sorted."""
        return sorted(self._by_value)

    def get(self, value: str) -> Label | None:
        """Return the label of this present or former value, or None."""
        return self._by_value.get(self.current(value))

    def current(self, value: str) -> str:
        """Return the present value for a present or former one; unknown values stay as they are."""
        return self._current.get(value, value)

    def missing(self, values: Iterable[str]) -> set[str]:
        """Return which of the values are and were no label."""
        return {value for value in values if self.get(value) is None}

    def names_of(self, value: str) -> list[str]:
        """Return every value under which spans of a label may be stored."""
        label = self.get(value)
        return [value] if label is None else [label.value, *label.former_values]

    def positives(self, value: str) -> frozenset[str]:
        """Return the labels whose spans are positives of this one, itself included.

        These are the label, what it inherits, and every label aliased to one of these,
        transitively.
        """
        found: set[str] = set()
        waiting = [self.current(value)]
        while waiting:
            one = waiting.pop()
            if one in found or one not in self._by_value:
                continue
            found.add(one)
            waiting.extend(self._below(self._by_value[one]))
        return frozenset(found)

    def trained(self) -> dict[str, frozenset[str]]:
        """Return the labels that models are trained for, with their positives, sorted.

        An alias is another name of a label, not one of its own.
        """
        return {
            value: self.positives(value)
            for value in self.values
            if not self._by_value[value].alias_as
        }

    def check_links(
        self, value: str, inherits: Sequence[str], alias_as: str, field: str
    ) -> tuple[tuple[str, ...], str]:
        """Return the links that a label is to have, with present values.

        Args:
            value: Present value of the label; it need not exist yet.
            inherits: Labels whose positives it shall have.
            alias_as: The label that it shall be another name of, or empty.
            field: Path of the label in the request.

        Raises:
            InvalidArgumentError: FIELD_INVALID: unknown labels, or a cycle.
        """
        chosen = tuple(dict.fromkeys(self.current(one) for one in inherits))
        alias = self.current(alias_as) if alias_as else ""
        for index, one in enumerate(chosen):
            if one not in self._by_value or one == value:
                raise invalid_field(
                    f"{field}.inherits[{index}]", f"{one!r} is no other label of the project."
                )
        if alias and (alias not in self._by_value or alias == value):
            raise invalid_field(f"{field}.alias_as", f"{alias!r} is no other label of the project.")
        # What has this label's positives must not be among them.
        reached: set[str] = set()
        waiting = [*chosen, *self._aliases.get(value, ())]
        while waiting:
            one = waiting.pop()
            if one in reached:
                continue
            reached.add(one)
            label = self._by_value.get(one)
            if label is not None and one != value:
                waiting.extend(self._below(label))
        if value in reached or (alias and alias in reached):
            where = "alias_as" if alias and alias in reached else "inherits"
            raise invalid_field(
                f"{field}.{where}",
                f"makes a cycle: the positives of {value!r} would be positives of themselves.",
            )
        return chosen, alias

    def task(self, task: Task) -> Task:
        """Return the task with present values in all its completions."""
        if not self._current:
            return task
        return replace(
            task,
            completions=tuple(
                replace(one, content=self.content(one.content)) for one in task.completions
            ),
        )

    def content(self, content: Content) -> Content:
        """Return the content with present values, each label and extent once."""
        if not self._current:
            return content
        spans = tuple(self._span(span) for span in content.spans)
        renamed = any(new is not old for new, old in zip(spans, content.spans, strict=True))
        regions = tuple(self._region(region) for region in content.regions)
        present = replace(content, spans=spans, regions=regions)
        return merged(present) if renamed else present

    def check_distinct(self, content: Content, field: str) -> None:
        """Return when no two spans of a content are the same by what their labels are called now.

        Raises:
            InvalidArgumentError: FIELD_INVALID: two spans have one label and extent.
        """
        if not self._current:
            return
        sent: dict[object, str] = {}
        for span in content.spans:
            current = self.current(span.label)
            before = sent.setdefault(key_of(span, current), span.label)
            if before != span.label:
                raise invalid_field(
                    f"{field}.spans",
                    f"{before!r} and {span.label!r} are one label, {current!r} by now, and two "
                    f"spans have them at one extent, code points {span.start} to {span.end}: "
                    "leave one of them out.",
                )

    def scored(self, spans: tuple[ScoredSpan, ...]) -> tuple[ScoredSpan, ...]:
        """Return the spans of a prediction with present values, each label and extent once."""
        if not self._current:
            return spans
        return merged_scored(
            [replace(span, label=self.current(span.label)) for span in spans],
        )

    def by_label(self, mapping: Mapping[str, str]) -> dict[str, str]:
        """Return a mapping by label value with present values."""
        return {self.current(value): one for value, one in mapping.items()}

    def _below(self, label: Label) -> list[str]:
        return [
            *(self.current(one) for one in label.inherits),
            *self._aliases.get(label.value, ()),
        ]

    def _span(self, span: Span) -> Span:
        current = self.current(span.label)
        return span if current == span.label else replace(span, label=current)

    def _region(self, region: Region) -> Region:
        current = tuple(dict.fromkeys(self.current(label) for label in region.labels))
        return region if current == region.labels else replace(region, labels=current)
