"""Trials and what is reported of them as documents."""

from __future__ import annotations

from dataclasses import asdict, replace

from services.common.store.port import Document
from services.common.trial_counts import COUNTS_NUMBERS, DIFFERENCE_NUMBERS, Counts, Difference
from services.registry.documents import mapping, pairs
from services.registry.domain import ModelType
from services.registry.pointers import DeployedModel
from services.registry.trial import Limits, Trial, TrialMode, TrialState
from services.registry.trial_counts import Candidate, Report


def trial_document(trial: Trial) -> Document:
    """Return a trial as an entry of the deployment log holds it."""
    return {
        **asdict(replace(trial, candidate=replace(trial.candidate, adapters={}))),
        "candidate": {
            **asdict(replace(trial.candidate, adapters={})),
            "adapters": pairs(trial.candidate.adapters),
        },
        "violations": list(trial.violations),
    }


def trial_of(body: Document) -> Trial:
    """Return the trial of a document."""
    model = body["candidate"]
    return Trial(
        **{
            **body,
            "candidate": DeployedModel(
                **{
                    **model,
                    "model_type": ModelType(model["model_type"]),
                    "adapters": mapping(model["adapters"]),
                }
            ),
            "mode": TrialMode(body["mode"]),
            "limits": Limits(**body["limits"]),
            "state": TrialState(body["state"]),
            "violations": tuple(body["violations"]),
        }
    )


def report_document(report: Report) -> Document:
    """Return what one server told."""
    counts = report.counts
    return {
        "reporter": report.reporter,
        "sequence": report.sequence,
        "time": report.time,
        "candidate": report.candidate.value,
        "error_message": report.error_message,
        "counts": {name: getattr(counts, name) for name in COUNTS_NUMBERS},
        # A list, as label values are no field names.
        "differences": [
            {"model_type": key[0].value, "name": key[1], **asdict(found)}
            for key, found in sorted(counts.differences.items())
        ],
    }


def report_of(body: Document) -> Report:
    """Return the report of a document."""
    return Report(
        reporter=body["reporter"],
        sequence=body["sequence"],
        time=body["time"],
        candidate=Candidate(body["candidate"]),
        error_message=body["error_message"],
        counts=Counts(
            **body["counts"],
            differences={
                (ModelType(one["model_type"]), one["name"]): Difference(
                    **{name: one[name] for name in DIFFERENCE_NUMBERS}
                )
                for one in body["differences"]
            },
        ),
    )
