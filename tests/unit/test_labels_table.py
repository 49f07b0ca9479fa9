"""Labels that inherit, are aliases of others, and were renamed."""

from __future__ import annotations

import pytest

from services.annotation.content import Content, Region, Relation, ScoredSpan, Span
from services.annotation.dataset import Example
from services.annotation.domain import Label, Split
from services.annotation.labels.table import LabelTable
from services.annotation.splits import with_positives
from services.common.errors import InvalidArgumentError


def label(value: str, *inherits: str, alias: str = "", former: tuple[str, ...] = ()) -> Label:
    return Label(
        project="p",
        id=value.lower(),
        value=value,
        description="",
        version=1,
        created=1,
        updated=1,
        inherits=inherits,
        alias_as=alias,
        former_values=former,
    )


def test_positives_are_itself_what_it_inherits_and_what_is_aliased_to_these() -> None:
    table = LabelTable(
        [
            label("Party", "Person", "Company"),
            label("Person"),
            label("Company", "Bank"),
            label("Bank"),
            label("Firm", alias="Company"),
            label("Enterprise", alias="Firm"),
            label("Date"),
        ]
    )
    assert table.positives("Party") == {
        "Party", "Person", "Company", "Bank", "Firm", "Enterprise",
    }  # fmt: skip
    assert table.positives("Company") == {"Company", "Bank", "Firm", "Enterprise"}
    assert table.positives("Date") == {"Date"}
    assert table.positives("none") == frozenset()
    # An alias is another name, and has no model of its own.
    assert sorted(table.trained()) == ["Bank", "Company", "Date", "Party", "Person"]


@pytest.mark.parametrize(
    ("value", "inherits", "alias", "field"),
    [
        ("A", ("A",), "", "label.inherits[0]"),
        ("A", ("none",), "", "label.inherits[0]"),
        ("A", (), "none", "label.alias_as"),
        ("A", (), "A", "label.alias_as"),
        ("C", ("A",), "", "label.inherits"),  # A inherits B, B inherits C
        ("B", ("D",), "", "label.inherits"),  # D is an alias of A, so A has D's, and D has B's
        ("A", ("B",), "C", "label.alias_as"),  # C would have A's positives, and A has C's
    ],
)
def test_cycles_and_strangers_are_refused(
    value: str, inherits: tuple[str, ...], alias: str, field: str
) -> None:
    table = LabelTable(
        [label("A", "B"), label("B", "C"), label("C"), label("D", "B" if value != "B" else "A")]
    )
    with pytest.raises(InvalidArgumentError) as caught:
        table.check_links(value, inherits, alias, "label")
    assert [violation.field for violation in caught.value.violations] == [field]


def test_links_that_make_no_cycle() -> None:
    table = LabelTable([label("A", "B"), label("B"), label("C"), label("New", former=("Old",))])
    assert table.check_links("C", ["A", "B", "A"], "", "label") == (("A", "B"), "")
    assert table.check_links("C", [], "Old", "label") == ((), "New")


def test_a_renamed_label_is_found_by_every_name_it_had() -> None:
    table = LabelTable([label("New", former=("First", "Old")), label("Other", "Old")])
    assert table.current("Old") == "New"
    assert table.names_of("Old") == ["New", "First", "Old"]
    assert table.missing(["First", "New", "x"]) == {"x"}
    assert table.positives("Other") == {"Other", "New"}
    content = Content(spans=(Span(start=0, end=1, label="First", id="s1"),))
    assert [span.label for span in table.content(content).spans] == ["New"]


def test_spans_that_became_one_are_read_as_one() -> None:
    table = LabelTable([label("New", former=("Old",)), label("Other")])
    content = Content(
        spans=(
            Span(start=0, end=3, label="New", id="a", attributes=(("x", "1"),)),
            Span(start=0, end=3, label="Old", id="b", assertion="Past", attributes=(("x", "2"),)),
            Span(start=0, end=3, label="Old", id="c", fragments=((0, 1), (2, 3))),
            Span(start=0, end=3, label="Other", id="d"),
        ),
        relations=(Relation(source="b", target="d", id="r"),),
    )
    with pytest.raises(InvalidArgumentError, match="'New' and 'Old' are one label") as caught:
        table.check_distinct(content, "completion")
    assert [one.field for one in caught.value.violations] == ["completion.spans"]
    found = table.content(content)
    first = Span(start=0, end=3, label="New", id="a", assertion="Past", attributes=(("x", "1"),))
    pieces = Span(start=0, end=3, label="New", id="c", fragments=((0, 1), (2, 3)))
    assert found.spans == (first, pieces, content.spans[3])
    assert found.relations == (Relation(source="a", target="d", id="r"),)
    table.check_distinct(found, "completion")
    assert table.content(found) == found
    box = Region(x=1, y=1, width=1, height=1, labels=("Old", "New", "Other"))
    assert table.content(Content(regions=(box,))).regions[0].labels == ("New", "Other")
    scored = [
        ScoredSpan(start=0, end=1, label="Old", score=0.5),
        ScoredSpan(start=0, end=1, label="Other", score=0.1),
        ScoredSpan(start=0, end=1, label="New", score=0.9),
    ]
    assert [(one.label, one.score) for one in table.scored(tuple(scored))] == [
        ("New", 0.9),
        ("Other", 0.1),
    ]


def test_a_snapshot_has_a_span_once_for_every_label_that_it_is_a_positive_of() -> None:
    table = LabelTable([label("Party", "Person"), label("Person"), label("Human", alias="Person")])
    spans = (
        Span(start=0, end=3, label="Human", id="a"),
        Span(start=4, end=7, label="Party", id="b"),
    )
    example = Example(
        task="t", completion="c", text="Ada Bob", content=Content(spans=spans), split=Split.TRAIN
    )
    (expanded,) = with_positives([example], table.trained())
    assert [(span.start, span.label) for span in expanded.spans] == [
        (0, "Party"),
        (0, "Person"),
        (4, "Party"),
    ]
    plain = LabelTable([label("Human"), label("Party")])
    assert with_positives([example], plain.trained()) == [example]
