"""What is answered to Predict."""

from __future__ import annotations

from google.rpc import code_pb2

from services.common.errors import SpanloopError
from services.inference.answers import TextAnswer
from services.inference.convert.basic import digests, span_messages, versions
from services.inference.handlers.predict import PredictResult
from spanloop.inference.v1 import inference_service_pb2 as pb
from spanloop.inference.v1 import predict_pb2


def predict_response(result: PredictResult) -> pb.PredictResponse:
    """Return the answer of Predict."""
    adapters = result.adapters
    generation = predict_pb2.Generation(
        adapters=digests(adapters.labels),
        model_versions=versions(adapters.labels),
        choice_adapters=digests(adapters.controls),
        choice_model_versions=versions(adapters.controls),
    )
    if adapters.assertion is not None:
        generation.assertion_adapter = adapters.assertion.digest
        generation.assertion_model_version = adapters.assertion.model_version
    if result.deployment is not None:
        generation.name = result.deployment.generation
        generation.deployment_revision = result.deployment.revision
        generation.trial = result.deployment.trial
    return pb.PredictResponse(
        predictions=[text_prediction(answer) for answer in result.answers], generation=generation
    )


def text_prediction(answer: TextAnswer) -> predict_pb2.TextPrediction:
    """Return the answer for one text."""
    message = predict_pb2.TextPrediction(
        spans=span_messages(answer.spans),
        tokens=[
            predict_pb2.TokenPrediction(
                start=word.start,
                end=word.end,
                labels=[
                    predict_pb2.LabelScore(label=label, score=score) for label, score in word.labels
                ],
            )
            for word in answer.words
        ],
        windows=answer.windows,
        choices=[
            predict_pb2.PredictedChoice(
                control=choice.control,
                value=choice.value,
                score=choice.score,
                chosen=choice.chosen,
            )
            for choice in answer.choices
        ],
        assertions=[
            predict_pb2.SpanAssertion(
                start=one.start,
                end=one.end,
                statuses=[
                    predict_pb2.StatusScore(status=status, score=score)
                    for status, score in one.statuses
                ],
            )
            for one in answer.assertions
        ],
    )
    if (found := answer.uncertainty) is not None:
        message.uncertainty.CopyFrom(
            predict_pb2.Uncertainty(
                least_confidence=found.least_confidence,
                margin=found.margin,
                entropy=found.entropy,
            )
        )
    return message


def failure_message(error: SpanloopError) -> pb.PredictFailure:
    """Return what a stream says of a request that failed."""
    message = pb.PredictFailure(
        code=code_pb2.Code.Value(error.code.value),
        message=error.message,
        reason=error.reason.value,
        metadata=dict(error.metadata),
        field_violations=[
            pb.PredictFailure.FieldViolation(
                field=violation.field, description=violation.description
            )
            for violation in error.violations
        ],
    )
    if error.retry_after is not None:
        message.retry_delay.FromMicroseconds(round(error.retry_after * 1e6))
    return message
