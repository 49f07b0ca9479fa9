"""What the report counts: pairs, labels, words, missing opinions, and what is undefined."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from dataclasses import fields, is_dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation.agreement import kappas
from services.annotation.agreement.domain import (
    AgreementReport,
    Annotation,
    Item,
    Measure,
    SpanAgreement,
)
from services.annotation.agreement.report import agreement_report

WORDS = [(0, 3), (4, 7), (8, 11), (12, 15)]
"""Four words of three letters each, with blanks between."""


def item(id: str = "i", /, **spans: list[tuple[int, int, str]]) -> Item:
    return Item(
        id=id,
        words=WORDS,
        annotations={name: Annotation(spans=found) for name, found in spans.items()},
    )


def label(report: AgreementReport, name: str) -> SpanAgreement:
    return next(one for one in report.labels if one.label == name)


def measures(value: object) -> list[Measure]:
    """Return every measure in a report."""
    if isinstance(value, Measure):
        return [value]
    if isinstance(value, tuple):
        return [found for part in value for found in measures(part)]
    if is_dataclass(value):
        return [found for part in fields(value) for found in measures(getattr(value, part.name))]
    return []


def test_exact_and_overlap_f1_per_label_and_overall() -> None:
    report = agreement_report(
        [
            item(
                "1",
                ann=[(0, 3, "A"), (4, 11, "A"), (12, 15, "B")],
                bob=[(0, 3, "A"), (4, 7, "A"), (8, 11, "A"), (12, 15, "A")],
            )
        ]
    )
    a = label(report, "A").pairs[0]
    assert (a.first, a.second, a.items, a.spans) == ("ann", "bob", 1, 6)
    # one equal span of 2 and 4
    assert a.exact_f1.value == pytest.approx(2 * 1 / 6)
    # both of ann's overlap, three of bob's four
    assert a.overlap_f1.value == pytest.approx(2 * 1 * 0.75 / 1.75)
    b = label(report, "B").pairs[0]
    assert (b.exact_f1.value, b.overlap_f1.value, b.spans) == (0.0, 0.0, 1)
    overall = report.overall.pairs[0]
    assert overall.exact_f1.value == pytest.approx(2 * 1 / 7)
    assert overall.overlap_f1.value == pytest.approx(2 * (2 / 3) * 0.75 / (2 / 3 + 0.75))
    assert report.overall.support.spans == 7
    assert label(report, "A").support.spans == 6


def test_touching_spans_do_not_overlap() -> None:
    report = agreement_report([item(ann=[(0, 3, "A")], bob=[(3, 7, "A")])])
    assert report.overall.pairs[0].overlap_f1.value == 0.0
    report = agreement_report([item(ann=[(0, 4, "A")], bob=[(3, 7, "A")])])
    assert report.overall.pairs[0].overlap_f1.value == 1.0
    assert report.overall.pairs[0].exact_f1.value == 0.0


def test_a_span_within_others_of_the_same_annotator_counts() -> None:
    report = agreement_report(
        [item(ann=[(0, 15, "A"), (1, 2, "A"), (8, 9, "A")], bob=[(8, 11, "A")])]
    )
    # two of ann's three overlap bob's, and bob's overlaps
    assert report.overall.pairs[0].overlap_f1.value == pytest.approx(2 * (2 / 3) / (5 / 3))


def test_kappa_is_over_words() -> None:
    report = agreement_report(
        [
            item(
                ann=[(0, 7, "A")],
                bob=[(0, 3, "A"), (12, 15, "B")],
            )
        ]
    )
    # A: both yes 1, ann only 1, neither 2: observed 3/4, by chance 2/4*1/4 + 2/4*3/4 = 1/2
    assert label(report, "A").pairs[0].cohen_kappa.value == pytest.approx(0.5)
    # overall, as sets: {A}{A}, {A}{}, {}{}, {}{B}: observed 1/2, by chance 2/4*1/4 + 2/4*2/4 = 3/8
    assert report.overall.pairs[0].cohen_kappa.value == pytest.approx((1 / 2 - 3 / 8) / (5 / 8))


def test_a_span_rates_each_word_that_it_touches() -> None:
    wide = item(ann=[(2, 5, "A")], bob=[(0, 3, "A"), (4, 7, "A")])
    report = agreement_report([wide])
    assert report.overall.pairs[0].cohen_kappa.value == pytest.approx(1.0)
    between = item(ann=[(3, 4, "A"), (7, 12, "A")], bob=[(8, 11, "A")])
    report = agreement_report([between])
    assert report.overall.pairs[0].cohen_kappa.value == pytest.approx(1.0)
    assert report.overall.krippendorff_alpha.value == pytest.approx(1.0)


def test_everyone_agrees() -> None:
    spans = [(0, 3, "A"), (4, 11, "B"), (0, 3, "B")]
    report = agreement_report([item(ann=spans, bob=spans, cyd=spans)])
    assert len(report.overall.pairs) == 3
    for found in (report.overall, *report.labels):
        assert [one.value for one in measures(found)] == pytest.approx([1.0] * len(measures(found)))


def test_one_category_only_is_undefined() -> None:
    everything = [(0, 15, "A")]
    report = agreement_report([item(ann=everything, bob=everything)])
    assert report.overall.pairs[0].exact_f1.value == 1.0
    for found in (
        report.overall.pairs[0].cohen_kappa,
        report.overall.mean_cohen_kappa,
        report.overall.fleiss_kappa,
        report.overall.krippendorff_alpha,
    ):
        assert found == Measure(value=None, reason=kappas.ONE_CATEGORY)


def test_no_spans_at_all() -> None:
    report = agreement_report([item(ann=[], bob=[])])
    assert report.labels == ()
    pair = report.overall.pairs[0]
    assert pair.exact_f1 == Measure(value=None, reason="Neither annotator has a span.")
    assert pair.cohen_kappa.reason == kappas.ONE_CATEGORY
    assert report.overall.support.items == 1


def test_nothing_to_compare() -> None:
    for items in ([], [item(ann=[(0, 3, "A")])], [item()]):
        report = agreement_report(items)
        assert report.items == len(items)
        assert report.labels == ()
        assert report.overall.support.items == 0
        assert report.overall.pairs == ()
        for found in measures(report.overall):
            assert found == Measure(value=None, reason=kappas.NO_PAIR)


def test_a_text_without_words_has_no_units() -> None:
    empty = Item(id="e", words=[], annotations={"ann": Annotation(), "bob": Annotation()})
    report = agreement_report([empty])
    assert report.overall.krippendorff_alpha.reason == kappas.NO_PAIR
    assert report.overall.pairs[0].cohen_kappa.reason == kappas.NO_PAIR


def test_pairs_compare_only_what_both_annotated() -> None:
    report = agreement_report(
        [
            item("1", ann=[(0, 3, "A")], bob=[(0, 3, "A")]),
            item("2", bob=[(0, 3, "A")], cyd=[(4, 7, "A")]),
            item("3", ann=[(0, 3, "Z")]),
        ]
    )
    assert [(one.first, one.second, one.items) for one in report.overall.pairs] == [
        ("ann", "bob", 1),
        ("bob", "cyd", 1),
    ]
    assert [one.exact_f1.value for one in report.overall.pairs] == [1.0, 0.0]
    assert report.overall.mean_exact_f1.value == pytest.approx(0.5)
    assert [one.label for one in report.labels] == ["A"]
    assert (report.items, report.overall.support.items) == (3, 2)
    assert report.overall.support.annotators == 3


def test_the_mean_leaves_out_what_is_undefined() -> None:
    report = agreement_report(
        [
            item("1", ann=[(0, 3, "A")], bob=[(0, 3, "A")]),
            item("2", bob=[(0, 3, "B")], cyd=[(0, 3, "B")]),
        ]
    )
    found = label(report, "A")
    assert [one.exact_f1.value for one in found.pairs] == [1.0, None]
    assert found.mean_exact_f1.value == 1.0


def test_fleiss_takes_the_most_frequent_number_of_ratings() -> None:
    rated = Counter({("x", "x"): 3, ("x", "y"): 1, ("x", "y", "y"): 2, ("x",): 9})
    pairs = Counter({("x", "x"): 3, ("x", "y"): 1})
    assert kappas.fleiss_kappa(rated) == kappas.fleiss_kappa(pairs)
    tied = Counter({("x", "x"): 2, ("x", "y", "y"): 2})
    assert kappas.fleiss_kappa(tied) == kappas.fleiss_kappa(Counter({("x", "y", "y"): 2}))
    assert kappas.fleiss_kappa(tied).value == pytest.approx((1 / 3 - 5 / 9) / (4 / 9))


def test_answers_that_are_missing_are_not_answers_that_are_empty() -> None:
    def answered(id: str, **values: set[str] | None) -> Item:
        return Item(
            id=id,
            words=(),
            annotations={
                name: Annotation(choices={} if value is None else {"q": frozenset(value)})
                for name, value in values.items()
            },
        )

    report = agreement_report(
        [
            answered("1", ann={"x"}, bob={"x"}),
            answered("2", ann=set(), bob={"x"}),
            answered("3", ann={"x", "y"}, bob=None),
            answered("4", ann=set(), bob=set()),
        ]
    )
    (found,) = report.choices
    assert (found.name, found.support.items, found.support.annotators) == ("q", 3, 2)
    # observed 2/3, by chance 1/3*2/3 + 2/3*1/3 = 4/9
    assert found.pairs[0].cohen_kappa.value == pytest.approx((2 / 3 - 4 / 9) / (5 / 9))


def test_an_answer_by_one_annotator_only_is_undefined() -> None:
    only = Item(
        id="1",
        words=(),
        annotations={"ann": Annotation(choices={"q": frozenset({"x"})}), "bob": Annotation()},
    )
    (found,) = agreement_report([only]).choices
    assert found.pairs == ()
    assert found.krippendorff_alpha == Measure(value=None, reason=kappas.NO_PAIR)


def test_too_many_categories_are_told_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kappas, "MAX_CATEGORIES", 2)
    rated = Counter({("x", "x"): 10, ("x", "y"): 1, ("z", "z"): 1})
    for found in (
        kappas.cohen_kappa(rated),
        kappas.fleiss_kappa(rated),
        kappas.krippendorff_alpha(rated),
    ):
        assert found.value is None
        assert "3 different ratings" in found.reason


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.lists(st.sampled_from("wxyz"), max_size=5).map(tuple), st.integers(0, 30), max_size=8
    )
)
def test_fleiss_and_alpha_are_those_of_the_libraries(rated: dict[tuple[str, ...], int]) -> None:
    import krippendorff
    import numpy as np
    from statsmodels.stats.inter_rater import fleiss_kappa

    def table(ratings: list[tuple[str, ...]]) -> np.ndarray:
        return np.array([[rating.count(one) for one in "wxyz"] for rating in ratings])

    units = [rating for rating, count in rated.items() for _ in range(count) if len(rating) > 1]
    alpha = kappas.krippendorff_alpha(rated)
    fleiss = kappas.fleiss_kappa(rated)
    if len({one for rating in units for one in rating}) < 2:
        assert alpha.value is None
        assert fleiss.value is None
        return
    assert alpha.value == pytest.approx(
        krippendorff.alpha(value_counts=table(units), level_of_measurement="nominal"), abs=1e-9
    )
    sizes = Counter(len(rating) for rating in units)
    size = max(sizes, key=lambda one: (sizes[one], one))
    same = [rating for rating in units if len(rating) == size]
    if len({one for rating in same for one in rating}) < 2:
        assert fleiss.reason == kappas.ONE_CATEGORY
    else:
        assert fleiss.value == pytest.approx(fleiss_kappa(table(same)), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["ann", "bob", "cyd"]),
            st.lists(
                st.tuples(st.integers(0, 15), st.integers(0, 15), st.sampled_from(["A", "B"])).map(
                    lambda t: (min(t[:2]), max(t[:2]), t[2])
                ),
                max_size=4,
            ),
        ),
        max_size=5,
    )
)
def test_every_measure_is_a_number_in_range_or_has_a_reason(
    annotated: list[dict[str, list[tuple[int, int, str]]]],
) -> None:
    items = [item(str(number), **spans) for number, spans in enumerate(annotated)]
    report = agreement_report(items)
    found = measures(report)
    assert found
    for one in found:
        if one.value is None:
            assert one.reason
        else:
            assert math.isfinite(one.value)
            assert -1.0 <= one.value <= 1.0 + 1e-9
            assert not one.reason
    backwards = measures(agreement_report(reversed(items)))
    assert [one.value is None for one in backwards] == [one.value is None for one in found]
    assert [one.value for one in backwards if one.value is not None] == pytest.approx(
        [one.value for one in found if one.value is not None]
    )


def test_two_thousand_items_of_three_annotators_take_seconds() -> None:
    agreement_report([item(ann=[(0, 3, "A")], bob=[(4, 7, "A")])])  # imports are not measured
    chance = random.Random(7)
    words = [(5 * n, 5 * n + 4) for n in range(100)]

    def spans() -> list[tuple[int, int, str]]:
        starts = chance.sample(range(100), 15)
        return [
            (5 * one, 5 * one + 4 + 5 * chance.randrange(3), f"L{chance.randrange(10)}")
            for one in starts
        ]

    items = [
        Item(
            id=str(number),
            words=words,
            annotations={name: Annotation(spans=spans()) for name in ("ann", "bob", "cyd")},
        )
        for number in range(2_000)
    ]
    started = time.monotonic()
    report = agreement_report(items)
    assert time.monotonic() - started < 15
    assert report.overall.support.spans == 2_000 * 3 * 15
    assert len(report.labels) == 10
    assert report.overall.krippendorff_alpha.value is not None


def test_one_long_text_takes_seconds() -> None:
    count = 50_000
    words = [(2 * n, 2 * n + 1) for n in range(count)]
    mine = [(2 * n, 2 * n + 1, "A") for n in range(0, count, 2)]
    yours = [(2 * n, 2 * n + 3, "A") for n in range(0, count - 1, 4)]
    started = time.monotonic()
    report = agreement_report(
        [
            Item(
                id="long",
                words=words,
                annotations={"ann": Annotation(spans=mine), "bob": Annotation(spans=yours)},
            )
        ]
    )
    assert time.monotonic() - started < 10
    assert report.overall.pairs[0].overlap_f1.value == pytest.approx(2 * 0.5 / 1.5)
