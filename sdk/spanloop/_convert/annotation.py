"""Messages of the annotation service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from spanloop._convert import basic
from spanloop._types import annotation as types
from spanloop.annotation.v1 import (
    annotation_service_pb2,
    completion_pb2,
    event_pb2,
    label_pb2,
    prediction_pb2,
    project_pb2,
    snapshot_pb2,
    task_pb2,
)


def project(message: project_pb2.Project) -> types.Project:
    """Return a project."""
    return types.Project(
        name=message.name,
        display_name=message.display_name,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
        task_count=message.task_count,
        submitted_task_count=message.submitted_task_count,
        labeling_config=message.labeling_config,
        tie_break=basic.enum_from(
            types.TieBreak, project_pb2.TieBreak, "TIE_BREAK_", message.tie_break
        ),
        status_counts=dict(message.status_counts),
    )


def label(message: label_pb2.Label) -> types.Label:
    """Return a label."""
    return types.Label(
        name=message.name,
        value=message.value,
        description=message.description,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
        inherits=tuple(message.inherits),
        alias_as=message.alias_as,
        positives=tuple(message.positives),
        former_values=tuple(message.former_values),
        span_count=message.span_count,
        task_count=message.task_count,
    )


def task(message: task_pb2.Task) -> types.Task:
    """Return a task."""
    return types.Task(
        name=message.name,
        text=message.text,
        external_id=message.external_id,
        split=basic.split_from(message.split),
        metadata=dict(message.metadata),
        status=basic.enum_from(
            types.TaskStatus, task_pb2.TaskStatus, "TASK_STATUS_", message.status
        ),
        completion_count=message.completion_count,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
        tags=tuple(message.tags),
        group=message.group,
        pages=tuple(
            types.Page(image=one.image, width=one.width, height=one.height) for one in message.pages
        ),
        words=tuple(
            types.PageWord(
                start=one.start,
                end=one.end,
                x=one.x,
                y=one.y,
                width=one.width,
                height=one.height,
                page=one.page,
            )
            for one in message.words
        ),
        extra=message.extra,
        delete_time=basic.time_from(message.delete_time, message.HasField("delete_time")),
    )


def completion(message: completion_pb2.Completion) -> types.Completion:
    """Return a completion."""
    return types.Completion(
        name=message.name,
        author=message.author,
        state=basic.enum_from(
            types.CompletionState,
            completion_pb2.CompletionState,
            "COMPLETION_STATE_",
            message.state,
        ),
        spans=basic.spans_from(message.spans),
        copied_from=message.copied_from,
        etag=message.etag,
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        update_time=basic.time_from(message.update_time, message.HasField("update_time")),
        submit_time=basic.time_from(message.submit_time, message.HasField("submit_time")),
        choices=choices(message.choices),
        relations=relations(message.relations),
        regions=tuple(
            types.Region(
                x=one.x,
                y=one.y,
                width=one.width,
                height=one.height,
                rotation=one.rotation,
                labels=tuple(one.labels),
                text=one.text,
                page=one.page,
                id=one.id,
                attributes=dict(one.attributes),
            )
            for one in message.regions
        ),
        extra=message.extra,
        review=_review(message.review) if message.HasField("review") else None,
        ground_truth=message.ground_truth,
        lead_time_seconds=message.lead_time_seconds,
        delete_time=basic.time_from(message.delete_time, message.HasField("delete_time")),
    )


def _review(message: completion_pb2.Review) -> types.Review:
    return types.Review(
        reviewer=message.reviewer,
        comment=message.comment,
        review_time=basic.time_from(message.review_time, message.HasField("review_time")),
    )


def choices(messages: Iterable[completion_pb2.Choice]) -> dict[str, tuple[str, ...]]:
    """Return choices by name of their control."""
    return {one.name: tuple(one.values) for one in messages}


def choices_to(value: Mapping[str, Iterable[str]]) -> list[completion_pb2.Choice]:
    """Return choices as messages."""
    return [completion_pb2.Choice(name=name, values=list(found)) for name, found in value.items()]


def relations(messages: Iterable[completion_pb2.Relation]) -> tuple[types.Relation, ...]:
    """Return relations."""
    return tuple(
        types.Relation(
            source=one.source,
            target=one.target,
            labels=tuple(one.labels),
            direction=basic.enum_from(
                types.RelationDirection,
                completion_pb2.RelationDirection,
                "RELATION_DIRECTION_",
                one.direction,
            ),
            id=one.id,
        )
        for one in messages
    )


def relations_to(value: Iterable[types.Relation]) -> list[completion_pb2.Relation]:
    """Return relations as messages."""
    return [
        completion_pb2.Relation(
            id=one.id,
            source=one.source,
            target=one.target,
            labels=one.labels,
            direction=f"RELATION_DIRECTION_{one.direction.name}",
        )
        for one in value
    ]


def regions_to(value: Iterable[types.Region]) -> list[completion_pb2.Region]:
    """Return regions as messages."""
    return [
        completion_pb2.Region(
            id=one.id,
            x=one.x,
            y=one.y,
            width=one.width,
            height=one.height,
            rotation=one.rotation,
            labels=one.labels,
            text=one.text,
            page=one.page,
            attributes=one.attributes,
        )
        for one in value
    ]


def prediction(message: prediction_pb2.Prediction) -> types.Prediction:
    """Return a prediction."""
    return types.Prediction(
        name=message.name,
        task=message.task,
        generation=message.generation,
        adapters=dict(message.adapters),
        model_versions=dict(message.model_versions),
        spans=basic.scored_from(message.spans),
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        choices=tuple(
            types.ScoredChoice(name=one.name, value=one.value, score=one.score)
            for one in message.choices
        ),
        extra=message.extra,
        choice_adapters=dict(message.choice_adapters),
        choice_model_versions=dict(message.choice_model_versions),
        assertion_adapter=message.assertion_adapter,
        assertion_model_version=message.assertion_model_version,
        signals=_signals(message.signals) if message.HasField("signals") else None,
    )


def _signals(message: prediction_pb2.PredictionSignals) -> types.PredictionSignals:
    return types.PredictionSignals(
        least_confidence=message.least_confidence,
        margin=message.margin,
        entropy=message.entropy,
        embedding=message.embedding,
        trunk_digest=message.trunk_digest,
    )


def prediction_to(value: types.Prediction) -> prediction_pb2.Prediction:
    """Return a prediction as a message to write."""
    signals = None
    if value.signals is not None:
        signals = prediction_pb2.PredictionSignals(
            least_confidence=value.signals.least_confidence,
            margin=value.signals.margin,
            entropy=value.signals.entropy,
            embedding=value.signals.embedding,
            trunk_digest=value.signals.trunk_digest,
        )
    return prediction_pb2.Prediction(
        task=value.task,
        generation=value.generation,
        adapters=value.adapters,
        model_versions=value.model_versions,
        spans=basic.scored_to(value.spans),
        choices=[
            prediction_pb2.ScoredChoice(name=one.name, value=one.value, score=one.score)
            for one in value.choices
        ],
        choice_adapters=value.choice_adapters,
        choice_model_versions=value.choice_model_versions,
        assertion_adapter=value.assertion_adapter,
        assertion_model_version=value.assertion_model_version,
        signals=signals,
    )


def snapshot(message: snapshot_pb2.Snapshot) -> types.Snapshot:
    """Return a snapshot."""
    return types.Snapshot(
        name=message.name,
        content_hash=message.content_hash,
        split_policy=policy_from(message.split_policy),
        labels=tuple(message.labels),
        example_counts=dict(message.example_counts),
        span_counts=dict(message.span_counts),
        create_time=basic.time_from(message.create_time, message.HasField("create_time")),
        choice_counts=dict(message.choice_counts),
        positives={label: tuple(one.values) for label, one in message.positives.items()},
        description=message.description,
    )


def policy_from(message: snapshot_pb2.SplitPolicy) -> types.SplitPolicy | None:
    """Return a split policy; None when none is set."""
    match message.WhichOneof("policy"):
        case "ratios":
            ratios = message.ratios
            return types.RatioSplits(
                train=ratios.train,
                dev=ratios.dev,
                test=ratios.test,
                seed=ratios.seed,
                stratify=ratios.stratify,
            )
        case "given":
            return types.GivenSplits(seed=message.given.seed)
        case "by_tags":
            tags = message.by_tags
            return types.TagSplits(
                train=tuple(tags.train),
                dev=tuple(tags.dev),
                test=tuple(tags.test),
                seed=tags.seed,
            )
        case _:
            return None


def policy_to(policy: types.SplitPolicy | None) -> snapshot_pb2.SplitPolicy | None:
    """Return a split policy as a message; None leaves it to the server."""
    match policy:
        case None:
            return None
        case types.RatioSplits():
            return snapshot_pb2.SplitPolicy(
                ratios=snapshot_pb2.SplitPolicy.Ratios(
                    train=policy.train,
                    dev=policy.dev,
                    test=policy.test,
                    seed=policy.seed,
                    stratify=policy.stratify,
                )
            )
        case types.TagSplits():
            return snapshot_pb2.SplitPolicy(
                by_tags=snapshot_pb2.SplitPolicy.ByTags(
                    train=policy.train, dev=policy.dev, test=policy.test, seed=policy.seed
                )
            )
        case types.GivenSplits():
            return snapshot_pb2.SplitPolicy(given=snapshot_pb2.SplitPolicy.Given(seed=policy.seed))


def example(message: snapshot_pb2.SnapshotExample) -> types.SnapshotExample:
    """Return an example of a snapshot."""
    return types.SnapshotExample(
        task=message.task,
        completion=message.completion,
        text=message.text,
        spans=basic.spans_from(message.spans),
        split=basic.split_from(message.split),
        choices=choices(message.choices),
        relations=relations(message.relations),
        group=message.group,
    )


def event(message: event_pb2.Event) -> types.Event:
    """Return an event."""
    return types.Event(
        sequence=message.sequence,
        resume_token=message.resume_token,
        type=basic.enum_from(types.EventType, event_pb2.EventType, "EVENT_TYPE_", message.type),
        resource=message.resource,
        time=basic.time_from(message.time, message.HasField("time")),
        actor=message.actor,
        version=message.version,
    )


def statuses_to(statuses: Iterable[types.TaskStatus | str]) -> list[str]:
    """Return task statuses as wire names."""
    return [f"TASK_STATUS_{types.TaskStatus(status).name}" for status in statuses]


def format_to(format: types.TaskFormat | str | None) -> str:
    """Return a file format's wire name; None leaves it to the server."""
    name = types.TaskFormat(format or "unspecified").name
    return f"TASK_FORMAT_{name}"


def import_report(message: annotation_service_pb2.ImportTasksResponse) -> types.ImportReport:
    """Return what an import did."""
    return types.ImportReport(
        imported_tasks=message.imported_tasks,
        imported_completions=message.imported_completions,
        imported_spans=message.imported_spans,
        unchanged_tasks=message.unchanged_tasks,
        refused_tasks=message.refused_tasks,
        errors=tuple(
            types.ImportProblem(
                line=found.line, reason=found.reason, field=found.field, message=found.message
            )
            for found in message.errors
        ),
        created_labels=tuple(message.created_labels),
        format=basic.enum_from(
            types.TaskFormat, annotation_service_pb2.TaskFormat, "TASK_FORMAT_", message.format
        ),
        imported_predictions=message.imported_predictions,
        imported_relations=message.imported_relations,
        imported_regions=message.imported_regions,
        imported_choices=message.imported_choices,
        warnings=tuple(
            types.ImportNotice(line=one.line, message=one.message) for one in message.warnings
        ),
        warning_count=message.warning_count,
    )


def scheme_to(scheme: types.TagScheme | str | None) -> str:
    """Return a tag scheme's wire name; None leaves it to the server."""
    return f"TAG_SCHEME_{types.TagScheme(scheme or 'unspecified').name}"


def tie_break_to(tie_break: types.TieBreak | str | None) -> str:
    """Return a tie-break's wire name; None leaves it to the project."""
    return f"TIE_BREAK_{types.TieBreak(tie_break or 'unspecified').name}"
