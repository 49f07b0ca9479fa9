"""The state machine of completions, etags, splits and content hashes."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.annotation import completion_state
from services.annotation.completion_state import Move, transition
from services.annotation.content import Content, Span
from services.annotation.dataset import Example, Given, Ratios
from services.annotation.domain import (
    Completion,
    CompletionState,
    EventType,
    Review,
    Split,
    TaskStatus,
    status_of,
)
from services.annotation.etags import check_etag, etag_of
from services.annotation.spans import RawSpan, check_task_size, checked_spans
from services.annotation.splits import check_ratios, content_hash, counts, divide
from services.common.errors import (
    AbortedError,
    FailedPreconditionError,
    InvalidArgumentError,
    Reason,
)
from services.common.offsets import OffsetEncoding

STATES = [None, *CompletionState]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("move", list(Move))
def test_every_move_is_allowed_or_refused_as_drawn(
    state: CompletionState | None, move: Move
) -> None:
    drawn = {
        (None, Move.CREATE): CompletionState.DRAFT,
        (None, Move.CREATE_SUBMITTED): CompletionState.SUBMITTED,
        (CompletionState.DRAFT, Move.EDIT): CompletionState.DRAFT,
        (CompletionState.DRAFT, Move.SUBMIT): CompletionState.SUBMITTED,
        (CompletionState.SUBMITTED, Move.EDIT): CompletionState.SUBMITTED,
        (None, Move.CREATE_ACCEPTED): CompletionState.ACCEPTED,
        (None, Move.CREATE_REJECTED): CompletionState.REJECTED,
        (CompletionState.ACCEPTED, Move.EDIT): CompletionState.SUBMITTED,
        (CompletionState.REJECTED, Move.EDIT): CompletionState.REJECTED,
        (CompletionState.DRAFT, Move.RESTORE): CompletionState.DRAFT,
        (CompletionState.SUBMITTED, Move.RESTORE): CompletionState.SUBMITTED,
        (CompletionState.ACCEPTED, Move.RESTORE): CompletionState.SUBMITTED,
        (CompletionState.REJECTED, Move.RESTORE): CompletionState.REJECTED,
        (CompletionState.REJECTED, Move.SUBMIT): CompletionState.SUBMITTED,
        (CompletionState.SUBMITTED, Move.ACCEPT): CompletionState.ACCEPTED,
        (CompletionState.REJECTED, Move.ACCEPT): CompletionState.ACCEPTED,
        (CompletionState.SUBMITTED, Move.REJECT): CompletionState.REJECTED,
        (CompletionState.ACCEPTED, Move.REJECT): CompletionState.REJECTED,
        (CompletionState.ACCEPTED, Move.WITHDRAW): CompletionState.SUBMITTED,
        (CompletionState.REJECTED, Move.WITHDRAW): CompletionState.SUBMITTED,
    }
    if (state, move) in drawn:
        assert transition(state, move)[0] is drawn[state, move]
    else:
        with pytest.raises(FailedPreconditionError) as caught:
            transition(state, move)
        assert caught.value.reason is Reason.STATE_CONFLICT


_STEPS = ["edit", "submit", "accept", "reject", "withdraw", "star", "unstar", "delete", "undelete"]


def taken(one: Completion, step: str, now: int) -> tuple[Completion, EventType] | None:
    match step:
        case "edit":
            return completion_state.edit(one, Content(), 1.0, now)
        case "submit":
            return completion_state.submit(one, now)
        case "accept" | "reject" | "withdraw":
            move = {"accept": Move.ACCEPT, "reject": Move.REJECT, "withdraw": Move.WITHDRAW}[step]
            return completion_state.review(one, move, "rev", "why", now)
        case "star" | "unstar":
            return completion_state.star(one, step == "star", now)
        case "delete":
            return completion_state.delete(one, now)
        case _:
            return completion_state.undelete(one, now)


@given(st.sampled_from(CompletionState), st.lists(st.sampled_from(_STEPS), max_size=12))
def test_any_course_of_a_completion(state: CompletionState, steps: list[str]) -> None:
    one, _ = completion_state.begin(
        id="c",
        author="a",
        content=Content(),
        copied_from="",
        state=state,
        now=1,
        review=Review(reviewer="rev", comment="", time=1),
        ground_truth=True,
    )
    for now, step in enumerate(steps, start=1):
        before = one
        try:
            found = taken(one, step, now + 1)
        except FailedPreconditionError:
            assert before == one
            continue
        if found is None:
            assert step in {"star", "unstar"}
            continue
        one, _ = found
        assert one.version == before.version + 1
        assert one.updated == now + 1
        # Nothing but undeleting is done to a deleted one.
        assert before.deleted is None or step == "undelete"
        reviewed = {CompletionState.ACCEPTED, CompletionState.REJECTED}
        assert (one.review is not None) == (one.state in reviewed)
        if one.ground_truth:
            assert one.handed_in
        # Once handed in it never is a draft again, and it has the time of it.
        assert (one.submitted is None) == (one.state is CompletionState.DRAFT)
        assert before.state is CompletionState.DRAFT or one.state is not CompletionState.DRAFT


def test_what_a_task_s_status_follows_from() -> None:
    def made(state: CompletionState, deleted: int | None = None) -> Completion:
        one, _ = completion_state.begin(
            id="c", author="a", content=Content(), copied_from="", state=state, now=1
        )
        return replace(one, deleted=deleted)

    draft, submitted, accepted, rejected = map(made, CompletionState)
    gone = made(CompletionState.ACCEPTED, deleted=2)
    for completions, wanted in (
        ((), TaskStatus.INCOMPLETE),
        ((gone,), TaskStatus.INCOMPLETE),
        ((draft,), TaskStatus.IN_PROGRESS),
        ((draft, rejected), TaskStatus.TO_CORRECT),
        ((draft, rejected, submitted), TaskStatus.SUBMITTED),
        ((draft, rejected, submitted, accepted), TaskStatus.REVIEWED),
        ((submitted, gone), TaskStatus.SUBMITTED),
    ):
        assert status_of(completions) is wanted


def test_etags_fit_one_resource_at_one_version() -> None:
    check_etag("", "a", 1)
    check_etag(etag_of("a", 2), "a", 2)
    for stale in (etag_of("a", 1), etag_of("b", 2), "nonsense"):
        with pytest.raises(AbortedError):
            check_etag(stale, "a", 2)


def test_ids_of_spans_never_clash() -> None:
    raw = [
        RawSpan(start=0, end=1, label="x"),
        RawSpan(start=1, end=2, label="x", id="s1"),
        RawSpan(start=2, end=3, label="x"),
    ]
    spans = checked_spans("abc", raw, OffsetEncoding.CODE_POINT, "spans")
    assert [span.id for span in spans] == ["s2", "s1", "s3"]
    with pytest.raises(InvalidArgumentError, match=r"spans\[1\].id"):
        checked_spans(
            "abc",
            [
                RawSpan(start=0, end=1, label="x", id="a"),
                RawSpan(start=1, end=2, label="x", id="a"),
            ],
            OffsetEncoding.CODE_POINT,
            "spans",
        )


def test_bounds_of_spans_and_tasks() -> None:
    many = [RawSpan(start=0, end=1, label=f"l{n}") for n in range(20_001)]
    with pytest.raises(InvalidArgumentError) as caught:
        checked_spans("abc", many, OffsetEncoding.CODE_POINT, "spans")
    assert caught.value.reason is Reason.REQUEST_TOO_LARGE
    spans = tuple(Span(start=0, end=1, label="ü" * 100, id="x" * 100) for _ in range(20_000))
    one, _ = completion_state.begin(
        id="c",
        author="a",
        content=Content(spans=spans),
        copied_from="",
        state=CompletionState.DRAFT,
        now=1,
    )
    check_task_size("a", [one])
    with pytest.raises(InvalidArgumentError) as caught:
        check_task_size("a", [one, one])
    assert caught.value.reason is Reason.REQUEST_TOO_LARGE


def example(text: str, split: Split = Split.UNSPECIFIED, *spans: tuple[int, int, str]) -> Example:
    made = tuple(
        Span(start=s, end=e, label=label, id=str(n)) for n, (s, e, label) in enumerate(spans)
    )
    return Example(
        task=f"t-{text}", completion="c", text=text, content=Content(spans=made), split=split
    )


def sizes(examples: list[Example]) -> dict[str, int]:
    return dict(Counter(one.split.value for one in examples))


def test_ratios_are_met_and_follow_the_seed_only() -> None:
    examples = [example(f"text {n}") for n in range(100)]
    mixed = random.Random(1).sample(examples, 100)
    policy = Ratios(train=0.8, dev=0.1, test=0.1, seed=5)
    first, used = divide(examples, policy)
    again, _ = divide(mixed, policy)
    other, _ = divide(examples, Ratios(train=0.8, dev=0.1, test=0.1, seed=6))
    assert used == policy
    assert sizes(first) == {"train": 80, "dev": 10, "test": 10}
    assert first == again
    assert first != other
    assert content_hash(["a"], first) == content_hash(["a"], again)
    assert content_hash(["a"], first) != content_hash(["a"], other)


def test_the_default_is_given_when_it_can_be() -> None:
    ready = [example("a", Split.TRAIN), example("b", Split.DEV), example("c", Split.TEST)]
    assert divide(ready, None)[1] == Given(seed=0)
    examples, used = divide([*ready, example("d")], None)
    assert used == Ratios(train=0.8, dev=0.1, test=0.1, seed=0)
    assert sizes(examples) == {"train": 2, "dev": 1, "test": 1}


def test_given_splits_are_kept_and_a_missing_dev_is_cut_off_train() -> None:
    train = [example(f"t{n}", Split.TRAIN) for n in range(40)]
    test = [example("x", Split.TEST)]
    examples, _ = divide([*train, *test], Given(seed=3))
    assert sizes(examples) == {"train": 36, "dev": 4, "test": 1}
    assert divide([*test, *train], Given(seed=3))[0] == examples
    assert divide([*train, *test], Given(seed=4))[0] != examples
    kept, _ = divide([*train, example("d", Split.DEV)], Given(seed=3))
    assert sizes(kept) == {"train": 40, "dev": 1}
    with pytest.raises(FailedPreconditionError) as caught:
        divide([*train, example("none")], Given(seed=0))
    assert (caught.value.reason, caught.value.metadata) == (
        Reason.STATE_CONFLICT,
        {"task": "t-none"},
    )
    with pytest.raises(FailedPreconditionError) as caught:
        divide(test, Given(seed=0))
    assert caught.value.reason is Reason.NO_TRAINING_DATA


def test_equal_texts_fall_side_by_side() -> None:
    examples = [example(f"text {n // 2}") for n in range(200)]
    divided, _ = divide(examples, Ratios(train=0.5, dev=0.25, test=0.25, seed=0))
    by_text: dict[str, set[Split]] = {}
    for one in divided:
        by_text.setdefault(one.text, set()).add(one.split)
    assert sum(len(splits) > 1 for splits in by_text.values()) <= 2  # the two cuts


@pytest.mark.parametrize(
    ("train", "dev", "test", "field"),
    [
        (0.0, 0.5, 0.5, "r.train"),
        (0.5, -0.1, 0.6, "r.dev"),
        (0.5, 0.1, 0.1, "r"),
        (float("nan"), 0.1, 0.1, "r.train"),
        (0.8, float("nan"), 0.1, "r.dev"),
    ],
)
def test_bad_ratios(train: float, dev: float, test: float, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check_ratios(Ratios(train=train, dev=dev, test=test, seed=0), field="r")
    assert caught.value.violations[0].field == field


@given(st.permutations([("a", ((0, 1, "x"),)), ("a", ()), ("b", ((0, 1, "x"), (0, 1, "y")))]))
def test_the_hash_knows_content_not_order_nor_ids(
    rows: list[tuple[str, tuple[object, ...]]],
) -> None:
    examples, _ = divide([example(t, Split.TRAIN, *s) for t, s in rows], Given(seed=0))  # type: ignore[arg-type]
    wanted, _ = divide(
        [
            example("b", Split.TRAIN, (0, 1, "y"), (0, 1, "x")),
            example("a", Split.TRAIN, (0, 1, "x")),
            example("a", Split.TRAIN),
        ],
        Given(seed=0),
    )
    assert content_hash(["y", "x"], examples) == content_hash(["x", "y"], wanted)
    assert content_hash(["x"], examples) != content_hash(["x", "y"], wanted)


def test_counts_name_every_split_and_label() -> None:
    examples = [example("a", Split.TRAIN, (0, 1, "x")), example("b", Split.DEV, (0, 1, "x"))]
    counted = counts(["x", "y"], examples)
    assert counted.examples == {"train": 1, "dev": 1, "test": 0}
    assert counted.spans == {"x": 2, "y": 0}
