"""Messages of agreement."""

from __future__ import annotations

from services.annotation.agreement.domain import (
    ChoiceAgreement,
    Measure,
    SpanAgreement,
)
from services.annotation.agreement.handler import Compared
from spanloop.annotation.v1 import agreement_service_pb2 as pb


def compared_message(found: Compared) -> pb.ComputeAgreementResponse:
    """Return a comparison."""
    report = found.report
    return pb.ComputeAgreementResponse(
        authors=found.authors,
        overall=_spans(report.overall),
        labels=[_spans(one) for one in report.labels],
        choices=[_choices(one) for one in report.choices],
    )


def _spans(found: SpanAgreement) -> pb.AgreementSummary:
    return pb.AgreementSummary(
        target=found.label,
        tasks=found.support.items,
        spans=found.support.spans,
        annotators=found.support.annotators,
        exact_f1=_measure(found.mean_exact_f1),
        overlap_f1=_measure(found.mean_overlap_f1),
        cohen_kappa=_measure(found.mean_cohen_kappa),
        fleiss_kappa=_measure(found.fleiss_kappa),
        krippendorff_alpha=_measure(found.krippendorff_alpha),
        pairs=[
            pb.PairAgreement(
                first=pair.first,
                second=pair.second,
                tasks=pair.items,
                spans=pair.spans,
                exact_f1=_measure(pair.exact_f1),
                overlap_f1=_measure(pair.overlap_f1),
                cohen_kappa=_measure(pair.cohen_kappa),
            )
            for pair in found.pairs
        ],
    )


def _choices(found: ChoiceAgreement) -> pb.AgreementSummary:
    return pb.AgreementSummary(
        target=found.name,
        tasks=found.support.items,
        annotators=found.support.annotators,
        cohen_kappa=_measure(found.mean_cohen_kappa),
        fleiss_kappa=_measure(found.fleiss_kappa),
        krippendorff_alpha=_measure(found.krippendorff_alpha),
        pairs=[
            pb.PairAgreement(
                first=pair.first,
                second=pair.second,
                tasks=pair.items,
                cohen_kappa=_measure(pair.cohen_kappa),
            )
            for pair in found.pairs
        ],
    )


def _measure(measure: Measure) -> pb.AgreementMeasure:
    return pb.AgreementMeasure(value=measure.value, undefined_reason=measure.reason)
