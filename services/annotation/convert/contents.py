"""What annotations and predictions say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.annotation.content import (
    Choices,
    Direction,
    Region,
    Relation,
    ScoredChoice,
    ScoredSpan,
    Span,
)
from services.annotation.contents import RawContent, RawRegion, RawRelation
from services.annotation.convert.basic import known, state_value
from services.annotation.domain import (
    Completion,
    Prediction,
    Task,
    completion_name,
    prediction_name,
    task_name,
)
from services.annotation.etags import etag_of
from services.annotation.handlers.predictions import NewPrediction
from services.annotation.signals import Embedding, Signals
from services.annotation.spans import RawSpan, encoded_extents
from services.common.offsets import OffsetEncoding, from_code_points
from services.common.times import to_timestamp
from spanloop.annotation.v1 import completion_pb2, prediction_pb2
from spanloop.common.v1 import text_pb2

_DIRECTIONS = {
    completion_pb2.RELATION_DIRECTION_UNSPECIFIED: Direction.RIGHT,
    completion_pb2.RELATION_DIRECTION_RIGHT: Direction.RIGHT,
    completion_pb2.RELATION_DIRECTION_LEFT: Direction.LEFT,
    completion_pb2.RELATION_DIRECTION_BOTH: Direction.BOTH,
}
_DIRECTIONS_BACK = {one: number for number, one in _DIRECTIONS.items()}


def raw_content(message: completion_pb2.Completion) -> RawContent:
    """Read what a completion says, as it was sent."""
    return RawContent(
        spans=[
            RawSpan(
                start=span.start,
                end=span.end,
                label=span.label,
                id=span.id,
                fragments=[(one.start, one.end) for one in span.fragments],
                assertion=span.assertion,
                attributes=dict(span.attributes),
            )
            for span in message.spans
        ],
        choices=[(one.name, list(one.values)) for one in message.choices],
        relations=[
            RawRelation(
                id=one.id,
                source=one.source,
                target=one.target,
                labels=list(one.labels),
                direction=known(
                    _DIRECTIONS,
                    one.direction,
                    f"completion.relations[{place}].direction",
                    "RelationDirection",
                ),
            )
            for place, one in enumerate(message.relations)
        ],
        regions=[
            RawRegion(
                x=one.x,
                y=one.y,
                width=one.width,
                height=one.height,
                rotation=one.rotation,
                labels=list(one.labels),
                text=one.text,
                page=one.page,
                id=one.id,
                attributes=dict(one.attributes),
            )
            for one in message.regions
        ],
        extra=message.extra,
    )


def completion_message(
    task: Task, completion: Completion, encoding: OffsetEncoding
) -> completion_pb2.Completion:
    """Return a completion of a task, its offsets counted in `encoding`."""
    name = completion_name(task.project, task.id, completion.id)
    content = completion.content
    review = completion.review
    return completion_pb2.Completion(
        name=name,
        author=completion.author,
        state=state_value(completion.state),
        spans=span_messages(task.text, content.spans, encoding),
        copied_from=completion.copied_from,
        etag=etag_of(name, completion.version),
        create_time=to_timestamp(completion.created),
        update_time=to_timestamp(completion.updated),
        submit_time=None if completion.submitted is None else to_timestamp(completion.submitted),
        choices=choice_messages(content.choices),
        relations=relation_messages(content.relations),
        regions=[_region_message(one) for one in content.regions],
        extra=content.extra,
        review=None
        if review is None
        else completion_pb2.Review(
            reviewer=review.reviewer,
            comment=review.comment,
            review_time=to_timestamp(review.time),
        ),
        ground_truth=completion.ground_truth,
        lead_time_seconds=completion.lead_time,
        delete_time=None if completion.deleted is None else to_timestamp(completion.deleted),
    )


def span_messages(
    text: str, spans: Sequence[Span], encoding: OffsetEncoding
) -> list[text_pb2.Span]:
    """Return the spans of a text."""
    extents = encoded_extents(text, spans, encoding)
    return [
        text_pb2.Span(
            start=start,
            end=end,
            label=span.label,
            id=span.id,
            fragments=_fragment_messages(text, span, encoding),
            assertion=span.assertion,
            attributes=dict(span.attributes),
        )
        for (start, end), span in zip(extents, spans, strict=True)
    ]


def choice_messages(choices: Iterable[Choices]) -> list[completion_pb2.Choice]:
    """Return choices."""
    return [completion_pb2.Choice(name=one.name, values=one.values) for one in choices]


def relation_messages(relations: Iterable[Relation]) -> list[completion_pb2.Relation]:
    """Return relations."""
    return [
        completion_pb2.Relation(
            id=one.id,
            source=one.source,
            target=one.target,
            labels=one.labels,
            direction=_DIRECTIONS_BACK[one.direction],
        )
        for one in relations
    ]


def scored_messages(
    text: str, spans: Sequence[ScoredSpan], encoding: OffsetEncoding
) -> list[text_pb2.ScoredSpan]:
    """Return proposed spans of a text."""
    extents = encoded_extents(text, spans, encoding)
    return [
        text_pb2.ScoredSpan(
            start=start,
            end=end,
            label=span.label,
            score=span.score,
            assertion=span.assertion,
            assertion_score=span.assertion_score,
        )
        for (start, end), span in zip(extents, spans, strict=True)
    ]


def new_prediction(message: prediction_pb2.Prediction) -> NewPrediction:
    """Read a prediction to write."""
    return NewPrediction(
        task=message.task,
        generation=message.generation,
        adapters=dict(message.adapters),
        model_versions=dict(message.model_versions),
        spans=[
            ScoredSpan(
                start=span.start,
                end=span.end,
                label=span.label,
                score=span.score,
                assertion=span.assertion,
                assertion_score=span.assertion_score,
            )
            for span in message.spans
        ],
        choices=[
            ScoredChoice(name=one.name, value=one.value, score=one.score) for one in message.choices
        ],
        choice_adapters=dict(message.choice_adapters),
        choice_model_versions=dict(message.choice_model_versions),
        assertion_adapter=message.assertion_adapter,
        assertion_model_version=message.assertion_model_version,
        signals=_signals(message.signals) if message.HasField("signals") else None,
    )


def _signals(message: prediction_pb2.PredictionSignals) -> Signals:
    embedding = None
    if message.embedding or message.trunk_digest:
        embedding = Embedding(data=message.embedding, trunk_digest=message.trunk_digest)
    return Signals(
        least_confidence=message.least_confidence,
        margin=message.margin,
        entropy=message.entropy,
        embedding=embedding,
    )


def prediction_message(
    prediction: Prediction, text: str, encoding: OffsetEncoding
) -> prediction_pb2.Prediction:
    """Return a prediction about a text, its offsets counted in `encoding`."""
    return prediction_pb2.Prediction(
        name=prediction_name(prediction.project, prediction.task, prediction.id),
        task=task_name(prediction.project, prediction.task),
        generation=prediction.generation,
        adapters=prediction.adapters,
        model_versions=prediction.model_versions,
        spans=scored_messages(text, prediction.spans, encoding),
        create_time=to_timestamp(prediction.created),
        choices=[
            prediction_pb2.ScoredChoice(name=one.name, value=one.value, score=one.score)
            for one in prediction.choices
        ],
        extra=prediction.extra,
        choice_adapters=prediction.choice_adapters,
        choice_model_versions=prediction.choice_model_versions,
        assertion_adapter=prediction.assertion_adapter,
        assertion_model_version=prediction.assertion_model_version,
        signals=None if prediction.signals is None else _signals_message(prediction.signals),
    )


def _signals_message(signals: Signals) -> prediction_pb2.PredictionSignals:
    message = prediction_pb2.PredictionSignals(
        least_confidence=signals.least_confidence,
        margin=signals.margin,
        entropy=signals.entropy,
    )
    if signals.embedding is not None:
        message.embedding = signals.embedding.data
        message.trunk_digest = signals.embedding.trunk_digest
    return message


def _fragment_messages(text: str, span: Span, encoding: OffsetEncoding) -> list[text_pb2.TextRange]:
    if not span.fragments:
        return []
    flat = from_code_points(text, [place for one in span.fragments for place in one], encoding)
    return [
        text_pb2.TextRange(start=start, end=end)
        for start, end in zip(flat[::2], flat[1::2], strict=True)
    ]


def _region_message(region: Region) -> completion_pb2.Region:
    return completion_pb2.Region(
        id=region.id,
        x=region.x,
        y=region.y,
        width=region.width,
        height=region.height,
        rotation=region.rotation,
        labels=region.labels,
        text=region.text,
        page=region.page,
        attributes=dict(region.attributes),
    )
