"""Which completion is trained on: one row for each sentence of the documents we started from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from services.annotation.content import Content
from services.annotation.domain import (
    Completion,
    CompletionState,
    Review,
    Split,
    Task,
    TieBreak,
)
from services.annotation.labels.table import LabelTable
from services.annotation.selection.filters import TaskFilter, check_filter, plan
from services.annotation.selection.rules import SelectionReason, chosen, decide, for_training
from services.common.errors import InvalidArgumentError

DRAFT, SUBMITTED = CompletionState.DRAFT, CompletionState.SUBMITTED
ACCEPTED, REJECTED = CompletionState.ACCEPTED, CompletionState.REJECTED
R = SelectionReason


def one(
    author: str, state: CompletionState, at: int = 1, *, reviewed: int = 0, deleted: bool = False
) -> Completion:
    return Completion(
        id=f"{author}{at}",
        author=author,
        state=state,
        content=Content(),
        copied_from="",
        version=1,
        created=at,
        updated=at,
        submitted=None if state is DRAFT else at,
        review=Review(reviewer="rev", comment="", time=reviewed)
        if state in {ACCEPTED, REJECTED}
        else None,
        deleted=9 if deleted else None,
    )


def task(*completions: Completion, tags: tuple[str, ...] = (), text: str = "text") -> Task:
    return Task(
        project="p",
        id="t",
        text=text,
        external_id="",
        split=Split.UNSPECIFIED,
        metadata={},
        tokenised=False,
        completions=completions,
        version=1,
        created=1,
        updated=1,
        tags=tags,
    )


@dataclass(frozen=True)
class Row:
    sentence: str
    completions: tuple[Completion, ...]
    taken: str | None
    reasons: tuple[SelectionReason, ...]
    tie_break: TieBreak = TieBreak.MOST_RECENT
    reviewed_only: bool = False


ROWS = (
    Row(
        "If a task has a completion accepted by a reviewer this is selected for training",
        (one("a", ACCEPTED),),
        "a1",
        (R.ACCEPTED,),
    ),
    Row(
        "… and all others are ignored",
        (one("a", ACCEPTED, 1), one("b", SUBMITTED, 5), one("c", DRAFT, 6)),
        "a1",
        (R.ACCEPTED, R.OTHER_ACCEPTED, R.DRAFT),
    ),
    Row(
        "Completions rejected by a Reviewer are not used for training",
        (one("a", REJECTED, 5), one("b", SUBMITTED, 1)),
        "b1",
        (R.REJECTED, R.ONLY_SUBMITTED),
    ),
    Row(
        "… not even when there is no other",
        (one("a", REJECTED),),
        None,
        (R.REJECTED,),
    ),
    Row(
        "If no reviewer is assigned to a task that has multiple submitted completions the most "
        "recent completion is selected for training purpose",
        (one("a", SUBMITTED, 1), one("b", SUBMITTED, 3), one("c", SUBMITTED, 2)),
        "b3",
        (R.OLDER, R.MOST_RECENT, R.OLDER),
    ),
    Row(
        "… the completion to use for training purpose is the one created by the user with the "
        "highest priority",
        (one("low", SUBMITTED, 3), one("high", SUBMITTED, 1), one("none", SUBMITTED, 2)),
        "high1",
        (R.LOWER_PRIORITY, R.HIGHEST_PRIORITY, R.LOWER_PRIORITY),
        TieBreak.HIGHEST_PRIORITY,
    ),
    Row(
        "of equal priorities the most recent one is taken",
        (one("low", SUBMITTED, 1), one("low", SUBMITTED, 2)),
        "low2",
        (R.OLDER, R.MOST_RECENT),
        TieBreak.HIGHEST_PRIORITY,
    ),
    Row(
        "either all submitted completions can be used for training",
        (one("a", SUBMITTED),),
        "a1",
        (R.ONLY_SUBMITTED,),
    ),
    Row(
        "… or only the reviewed ones",
        (one("a", SUBMITTED),),
        None,
        (R.NOT_REVIEWED,),
        reviewed_only=True,
    ),
    Row(
        "… of which the accepted one is taken",
        (one("a", SUBMITTED, 5), one("b", ACCEPTED, 1)),
        "b1",
        (R.OTHER_ACCEPTED, R.ACCEPTED),
        reviewed_only=True,
    ),
    Row(
        "of several accepted ones the one reviewed last is taken",
        (one("a", ACCEPTED, 1, reviewed=8), one("b", ACCEPTED, 5, reviewed=7)),
        "a1",
        (R.ACCEPTED, R.OTHER_ACCEPTED_LATER),
    ),
    Row(
        "for completed tasks: a draft is no completed task",
        (one("a", DRAFT),),
        None,
        (R.DRAFT,),
    ),
    Row(
        "a deleted completion counts no more, accepted or not",
        (one("a", ACCEPTED, 2, deleted=True), one("b", SUBMITTED, 1)),
        "b1",
        (R.DELETED, R.ONLY_SUBMITTED),
    ),
    Row("a task without completions has nothing to train on", (), None, ()),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.sentence[:60])
def test_selection(row: Row) -> None:
    rules = {
        "tie_break": row.tie_break,
        "priorities": {"high": 5, "low": 1},
        "reviewed_only": row.reviewed_only,
    }
    found = task(*row.completions)
    decisions = decide(found, **rules)
    assert tuple(decision.reason for decision in decisions) == row.reasons
    winner = chosen(found, **rules)
    assert (winner and winner.id) == row.taken
    assert [one.completion.id for one in decisions if one.taken] == [row.taken] * bool(row.taken)


def test_pages_without_text_are_not_trained_on() -> None:
    completions = (one("a", SUBMITTED, 1), one("b", REJECTED, 2))
    rules = {"tie_break": TieBreak.MOST_RECENT, "priorities": {}}
    pages = task(*completions, text="")
    found = for_training(pages, decide(pages, **rules))
    assert [(each.taken, each.reason) for each in found] == [
        (False, R.NO_TEXT),
        (False, R.REJECTED),
    ]
    text = task(*completions)
    decisions = decide(text, **rules)
    assert for_training(text, decisions) == decisions
    assert decisions[0].taken


def test_filter_tasks_by_tags_if_defined_otherwise_all_tasks_are_considered() -> None:
    table = LabelTable([])
    everything = plan("p", TaskFilter(), table)
    assert everything.keep(task())
    assert not everything.sieving
    unwanted = plan("p", TaskFilter(tags_none=("Test",)), table)
    assert unwanted.keep(task(tags=("Train",)))
    assert not unwanted.keep(task(tags=("Test", "Train")))
    texts = plan("p", TaskFilter(text_regex=r"(?i)\bada\b"), table)
    assert texts.keep(task(text="Hello Ada!"))
    assert not texts.keep(task(text="Adam"))
    inside = plan("p", TaskFilter(), table, frozenset({"t"}))
    assert inside.keep(task())
    assert not inside.keep(replace(task(), id="other"))
    assert not plan("p", TaskFilter(), table, None, frozenset({"t"})).keep(task())


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (TaskFilter(text_regex="("), "filter.text_regex"),
        (TaskFilter(text_regex=r"(a)\1"), "filter.text_regex"),
        (TaskFilter(text_regex="x" * 1001), "filter.text_regex"),
        (TaskFilter(tags_any=("",)), "filter.tags_any[0]"),
        (TaskFilter(created_from=5, created_before=5), "filter.created_before"),
    ],
)
def test_filters_that_cannot_be_applied(wanted: TaskFilter, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check_filter(wanted, "filter")
    assert [violation.field for violation in caught.value.violations] == [field]
