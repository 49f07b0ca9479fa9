"""What a model version must show before it may be served."""

from __future__ import annotations

import math
from dataclasses import dataclass

from services.registry.domain import ParityReport, VersionState

MAX_LOGIT_DIFF = 1e-3


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The state that a report leads to, and why when that is FAILED."""

    state: VersionState
    failure_message: str = ""


def judge(report: ParityReport) -> Verdict:
    """Decide on a parity report.

    READY when at least one text was compared, no logit differs by more than `MAX_LOGIT_DIFF` and
    no span differs; FAILED with every reason otherwise. NaN and infinity never pass.
    """
    reasons = []
    if report.texts < 1:
        reasons.append("no text was compared")
    if not math.isfinite(report.max_abs_diff):
        reasons.append("logits are not finite numbers")
    elif not 0 <= report.max_abs_diff <= MAX_LOGIT_DIFF:
        reasons.append(
            f"logits differ by up to {report.max_abs_diff:.6g}, allowed is {MAX_LOGIT_DIFF:g}"
        )
    if report.span_mismatches != 0:
        reasons.append(f"the spans of {report.span_mismatches} of {report.texts} texts differ")
    if not reasons:
        return Verdict(state=VersionState.READY)
    return Verdict(
        state=VersionState.FAILED,
        failure_message=f"Parity of training and serving failed: {'; '.join(reasons)}.",
    )
