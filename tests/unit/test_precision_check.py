"""What a precision may cost a label."""

from __future__ import annotations

import pytest

from services.trainer.domain import SpanMetrics, SplitEvaluation
from services.trainer.engines.trunk_names import asked_precision, in_precision, split_precision
from services.trainer.precision_check import too_costly
from services.trainer.reports.model import PrecisionReport


def split(micro: float = 0.6, **labels: tuple[float, int]) -> SplitEvaluation:
    found = {name: SpanMetrics(f1=f1, support=support) for name, (f1, support) in labels.items()}
    support = sum(one.support for one in found.values())
    return SplitEvaluation(
        split="dev",
        labels=found,
        micro=SpanMetrics(f1=micro, support=support),
        macro=SpanMetrics(),
        texts=9,
    )


def judged(fp32: SplitEvaluation, served: SplitEvaluation) -> str:
    report = PrecisionReport(
        precision="int8", fp32=fp32, trained=True, max_label_loss=0.03, min_spans=50
    )
    return too_costly(report, served)


def test_what_loses_too_much_is_named_with_its_figures() -> None:
    fp32 = split(A=(0.60, 50), B=(0.70, 80), C=(0.90, 49))
    served = split(A=(0.56, 50), B=(0.68, 80), C=(0.10, 49))
    assert judged(fp32, served) == (
        "Reading the trunk in int8 costs more than 0.03 of F1 on dev: 'A' 0.560 instead of 0.600 "
        "(50 spans)."
    )


def test_a_gain_a_small_loss_and_few_spans_are_no_reason() -> None:
    assert not judged(split(A=(0.60, 90), B=(0.5, 90)), split(A=(0.58, 90), B=(0.9, 90)))
    assert not judged(split(A=(0.9, 49)), split(A=(0.1, 49)))


def test_many_labels_with_few_spans_count_together() -> None:
    fp32 = split(0.60, A=(0.6, 30), B=(0.6, 30))
    served = split(0.50, A=(0.5, 30), B=(0.5, 30))
    assert judged(fp32, served).endswith("all labels together 0.500 instead of 0.600 (60 spans).")


@pytest.mark.parametrize(
    ("source", "asked", "split_", "in_fp16"),
    [
        ("a/b", ("a/b", ""), ("a/b", "fp32"), "a/b@fp16"),
        ("a/b@fp32", ("a/b", "fp32"), ("a/b", "fp32"), "a/b@fp16"),
        ("a/b@int8", ("a/b", "int8"), ("a/b", "int8"), "a/b@fp16"),
        ("a/b@v1", ("a/b@v1", ""), ("a/b@v1", "fp32"), "a/b@v1@fp16"),
    ],
)
def test_sources_name_precisions(
    source: str, asked: tuple[str, str], split_: tuple[str, str], in_fp16: str
) -> None:
    assert asked_precision(source) == asked
    assert split_precision(source) == split_
    assert in_precision(source, "fp16") == in_fp16
    assert in_precision(source, "fp32") == asked[0]
