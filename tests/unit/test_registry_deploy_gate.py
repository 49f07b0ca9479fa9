from __future__ import annotations

import pytest

from services.common.errors import FailedPreconditionError, Reason
from services.registry.deploy_gate import judge, refuse
from services.registry.domain import (
    Baseline,
    Lineage,
    ModelType,
    ModelVersion,
    SpanMetrics,
    Split,
    SplitEvaluation,
    VersionState,
)
from services.registry.policy import Gate


def measured(split: Split = Split.DEV, micro: float = 0.5, **labels: float) -> SplitEvaluation:
    """Return figures; a label whose F1 is negative has no support."""
    return SplitEvaluation(
        split=split,
        labels={
            label: SpanMetrics(f1=max(f1, 0.0), support=10 if f1 >= 0 else 0)
            for label, f1 in labels.items()
        },
        micro=SpanMetrics(f1=micro),
        macro=SpanMetrics(),
        texts=5,
    )


def version(
    number: int,
    *evaluation: SplitEvaluation,
    adapters: dict[str, str] | None = None,
    content: str = "",
    baseline: Baseline | None = None,
    model_type: ModelType = ModelType.NER,
) -> ModelVersion:
    return ModelVersion(
        project="p",
        number=number,
        model_type=model_type,
        control="c" if model_type is ModelType.CLASSIFICATION else "",
        adapters=adapters or {"A": f"a{number}", "B": f"b{number}"},
        evaluation=evaluation,
        lineage=Lineage(snapshot_content_hash=content),
        baseline=baseline,
        trunk_digest="t",
        state=VersionState.READY,
        etag="1",
        create_time=0,
    )


def found(
    gate: Gate, new: ModelVersion, served: ModelVersion | None = None
) -> list[tuple[str, str]]:
    return [(one.type, one.subject) for one in judge(gate, new, served)]


def test_a_gate_without_rules_asks_for_nothing() -> None:
    assert found(Gate(), version(1)) == []


def test_what_was_not_measured_is_refused() -> None:
    new = version(1, measured(Split.TEST, micro=1.0))
    assert found(Gate(min_micro_f1=0.1), new) == [("MEASURED", new.name)]
    assert found(Gate(min_micro_f1=0.1, split=Split.TEST), new) == []


def test_least_figures() -> None:
    new = version(1, measured(micro=0.7, A=0.6, B=0.2, C=-1))
    assert found(Gate(min_micro_f1=0.7, min_label_f1=0.2), new) == []
    assert found(Gate(min_micro_f1=0.71, min_label_f1=0.3), new) == [
        ("MIN_MICRO_F1", new.name),
        ("MIN_LABEL_F1", "B"),
    ]


@pytest.mark.parametrize("how", ["baseline", "content"])
def test_labels_that_lose_too_much(how: str) -> None:
    before = measured(A=0.8, B=0.5, C=0.9, D=-1, S=0.9)
    served = version(
        1, before, adapters={"A": "a1", "B": "b1", "C": "c1", "S": "same"}, content="h"
    )
    new = version(
        2,
        measured(A=0.69, B=0.45, S=0.1),
        adapters={"A": "a2", "B": "b2", "S": "same"},
        content="h" if how == "content" else "other",
        baseline=Baseline(model_version=served.name, evaluation=before)
        if how == "baseline"
        else None,
    )
    gate = Gate(max_label_regression=0.1)
    assert found(gate, new, served) == [
        ("MAX_LABEL_REGRESSION", "A"),
        ("MAX_LABEL_REGRESSION", "C"),
    ]
    assert found(gate, new) == []  # nothing is served that it could be worse than
    assert found(gate, served, served) == []
    assert found(Gate(max_label_regression=1.0), new, served) == [("MAX_LABEL_REGRESSION", "C")]


def test_one_adapter_for_all_values_that_is_the_same_is_as_good() -> None:
    before, after = measured(x=0.9), measured(x=0.1)
    kind = ModelType.CLASSIFICATION
    served = version(1, before, adapters={"c": "1"}, content="h", model_type=kind)
    same = version(2, after, adapters={"c": "1"}, content="h", model_type=kind)
    other = version(3, after, adapters={"c": "2"}, content="h", model_type=kind)
    gate = Gate(max_label_regression=0.0)
    assert found(gate, same, served) == []
    assert found(gate, other, served) == [("MAX_LABEL_REGRESSION", "x")]


@pytest.mark.parametrize(
    "baseline",
    [
        None,
        Baseline(model_version="projects/p/modelVersions/ner_p_v9", evaluation=measured(A=0.1)),
        Baseline(
            model_version="projects/p/modelVersions/ner_p_v1", evaluation=measured(Split.TEST)
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(baseline: Baseline | None) -> None:
    served = version(1, measured(A=0.5), content="h1")
    new = version(2, measured(A=0.9), content="h2", baseline=baseline)
    assert found(Gate(max_label_regression=0.1), new, served) == [
        ("MAX_LABEL_REGRESSION", served.name)
    ]
    # Two that do not know their snapshots are not of one snapshot.
    unknown = (version(2, measured(A=0.9)), version(1, measured(A=0.5)))
    assert found(Gate(max_label_regression=0.1), *unknown)


def test_the_refusal_names_each_rule() -> None:
    new = version(1, measured(micro=0.1, A=0.1))
    violations = judge(Gate(min_micro_f1=0.5, min_label_f1=0.5), new, None)
    with pytest.raises(FailedPreconditionError) as caught:
        refuse(new, violations)
    assert caught.value.reason is Reason.GATE_FAILED
    assert caught.value.preconditions == violations
    assert "0.1000" in caught.value.message
    refuse(new, ())
