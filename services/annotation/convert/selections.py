"""Filters, selections, snapshots and what tells two snapshots apart."""

from __future__ import annotations

from collections.abc import Sequence

from services.annotation.convert.basic import (
    micros_of,
    optional_tie_break_of,
    split_value,
    status_value,
    statuses_of,
    tie_break_value,
)
from services.annotation.convert.contents import (
    choice_messages,
    relation_messages,
    span_messages,
)
from services.annotation.dataset import ByTags, Example, Given, Ratios, Snapshot, SplitPolicy
from services.annotation.domain import completion_name, snapshot_name, task_name
from services.annotation.names import snapshot_of
from services.annotation.selection.diff import Difference, DiffSummary
from services.annotation.selection.filters import EVERYTHING, TaskFilter
from services.annotation.selection.handler import TaskDecisions
from services.annotation.selection.rules import Selection
from services.common.errors import invalid_field
from services.common.offsets import OffsetEncoding
from services.common.times import to_timestamp
from spanloop.annotation.v1 import annotation_service_pb2 as service
from spanloop.annotation.v1 import selection_pb2, snapshot_pb2


def filter_of(message: selection_pb2.TaskFilter, project: str, field: str = "filter") -> TaskFilter:
    """Read a filter of tasks of a project."""

    def time(name: str) -> int | None:
        return micros_of(getattr(message, name)) if message.HasField(name) else None

    return TaskFilter(
        statuses=statuses_of(message.statuses, f"{field}.statuses"),
        tags_any=tuple(message.tags_any),
        tags_all=tuple(message.tags_all),
        tags_none=tuple(message.tags_none),
        labels_any=tuple(message.labels_any),
        labels_all=tuple(message.labels_all),
        authors=tuple(message.authors),
        text_regex=message.text_regex,
        created_from=time("created_from"),
        created_before=time("created_before"),
        updated_from=time("updated_from"),
        updated_before=time("updated_before"),
        in_snapshot=_snapshot_id(message.in_snapshot, project, f"{field}.in_snapshot"),
        not_in_snapshot=_snapshot_id(message.not_in_snapshot, project, f"{field}.not_in_snapshot"),
        ground_truth=message.ground_truth,
    )


def _snapshot_id(name: str, project: str, field: str) -> str:
    if not name:
        return ""
    found, snapshot = snapshot_of(name, field)
    if found != project:
        raise invalid_field(field, "is a snapshot of another project.")
    return snapshot


def filter_message(project: str, wanted: TaskFilter) -> selection_pb2.TaskFilter:
    """Return a filter."""

    def named(snapshot: str) -> str:
        return snapshot_name(project, snapshot) if snapshot else ""

    message = selection_pb2.TaskFilter(
        statuses=[status_value(one) for one in wanted.statuses],
        tags_any=wanted.tags_any,
        tags_all=wanted.tags_all,
        tags_none=wanted.tags_none,
        labels_any=wanted.labels_any,
        labels_all=wanted.labels_all,
        authors=wanted.authors,
        text_regex=wanted.text_regex,
        in_snapshot=named(wanted.in_snapshot),
        not_in_snapshot=named(wanted.not_in_snapshot),
        ground_truth=wanted.ground_truth,
    )
    for name in ("created_from", "created_before", "updated_from", "updated_before"):
        value: int | None = getattr(wanted, name)
        if value is not None:
            getattr(message, name).FromMicroseconds(value)
    return message


def selection_of(message: selection_pb2.Selection, project: str) -> Selection:
    """Read a selection."""
    return Selection(
        filter=filter_of(message.filter, project, "selection.filter"),
        reviewed_only=message.reviewed_only,
        tie_break=optional_tie_break_of(message.tie_break, "selection.tie_break"),
    )


def selection_message(project: str, selection: Selection) -> selection_pb2.Selection:
    """Return a selection."""
    message = selection_pb2.Selection(reviewed_only=selection.reviewed_only)
    if selection.filter != EVERYTHING:
        message.filter.CopyFrom(filter_message(project, selection.filter))
    if selection.tie_break is not None:
        message.tie_break = tie_break_value(selection.tie_break)
    return message


def decision_message(project: str, found: TaskDecisions) -> selection_pb2.TaskDecision:
    """Return what a selection says about a task."""
    task = found.task
    return selection_pb2.TaskDecision(
        task=task_name(project, task.id),
        taken=any(one.taken for one in found.decisions),
        completions=[
            selection_pb2.CompletionDecision(
                completion=completion_name(project, task.id, one.completion.id),
                author=one.completion.author,
                taken=one.taken,
                reason=f"SELECTION_REASON_{one.reason.value}",
            )
            for one in found.decisions
        ],
    )


def policy_of(policy: snapshot_pb2.SplitPolicy) -> SplitPolicy | None:
    """Read a split policy; None when it is left open."""
    match policy.WhichOneof("policy"):
        case "ratios":
            ratios = policy.ratios
            return Ratios(
                train=ratios.train,
                dev=ratios.dev,
                test=ratios.test,
                seed=ratios.seed,
                stratify=ratios.stratify,
            )
        case "given":
            return Given(seed=policy.given.seed)
        case "by_tags":
            tags = policy.by_tags
            return ByTags(
                train=tuple(tags.train) or ("Train",),
                dev=tuple(tags.dev),
                test=tuple(tags.test) or ("Test",),
                seed=tags.seed,
            )
        case _:
            return None


def snapshot_message(snapshot: Snapshot) -> snapshot_pb2.Snapshot:
    """Return a snapshot."""
    return snapshot_pb2.Snapshot(
        name=snapshot_name(snapshot.project, snapshot.id),
        content_hash=snapshot.content_hash,
        split_policy=_policy_message(snapshot.policy),
        labels=snapshot.labels,
        example_counts=snapshot.example_counts,
        span_counts=snapshot.span_counts,
        create_time=to_timestamp(snapshot.created),
        selection=None
        if snapshot.selection is None
        else selection_message(snapshot.project, snapshot.selection),
        positives={
            label: snapshot_pb2.LabelValues(values=values)
            for label, values in snapshot.positives.items()
        },
        choice_counts=snapshot.choice_counts,
        assertion_counts=snapshot.assertion_counts,
        description=snapshot.description,
    )


def example_messages(
    project: str, examples: Sequence[Example]
) -> list[snapshot_pb2.SnapshotExample]:
    """Return examples of a snapshot."""
    return [example_message(project, one) for one in examples]


def example_message(project: str, one: Example) -> snapshot_pb2.SnapshotExample:
    """Return an example of a snapshot."""
    return snapshot_pb2.SnapshotExample(
        task=task_name(project, one.task),
        completion=completion_name(project, one.task, one.completion),
        text=one.text,
        spans=span_messages(one.text, one.spans, OffsetEncoding.CODE_POINT),
        split=split_value(one.split),
        choices=choice_messages(one.content.choices),
        relations=relation_messages(one.content.relations),
        group=one.group,
    )


def difference_message(project: str, found: Difference) -> service.SnapshotDifference:
    """Return what is different about a task."""
    message = service.SnapshotDifference(
        task=task_name(project, found.task), change=f"SNAPSHOT_CHANGE_{found.change.value}"
    )
    if found.base is not None:
        message.base.CopyFrom(example_message(project, found.base))
    if found.target is not None:
        message.target.CopyFrom(example_message(project, found.target))
    return message


def summary_message(summary: DiffSummary) -> service.SnapshotDiffSummary:
    """Return the totals of a comparison."""
    return service.SnapshotDiffSummary(
        added=summary.added,
        removed=summary.removed,
        changed=summary.changed,
        unchanged=summary.unchanged,
        added_labels=summary.added_labels,
        removed_labels=summary.removed_labels,
    )


def _policy_message(policy: SplitPolicy) -> snapshot_pb2.SplitPolicy:
    match policy:
        case Ratios() as ratios:
            return snapshot_pb2.SplitPolicy(
                ratios=snapshot_pb2.SplitPolicy.Ratios(
                    train=ratios.train,
                    dev=ratios.dev,
                    test=ratios.test,
                    seed=ratios.seed,
                    stratify=ratios.stratify,
                )
            )
        case ByTags() as tags:
            return snapshot_pb2.SplitPolicy(
                by_tags=snapshot_pb2.SplitPolicy.ByTags(
                    train=tags.train, dev=tags.dev, test=tags.test, seed=tags.seed
                )
            )
        case Given(seed=seed):
            return snapshot_pb2.SplitPolicy(given=snapshot_pb2.SplitPolicy.Given(seed=seed))
