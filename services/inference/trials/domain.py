"""What this server knows of trials, and which requests fall to a candidate. Pure values."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.common.trial_counts import Counts
from services.inference.domain import DeploymentRevision
from services.inference.trials.counts import AdapterKey

# What of a request is hashed: enough to tell requests apart, and bounded, as it is done on the
# event loop.
_HASHED_TEXTS = 16
_HASHED_CHARACTERS = 1000


class TrialMode(StrEnum):
    """What a candidate does with the requests that fall to it."""

    SHADOW = "SHADOW"
    CANARY = "CANARY"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial that runs.

    Attributes:
        name: Its resource name.
        mode: What its candidate does.
        share: Of the requests that fall to it.
        began: When, microseconds UTC: tells it from another of the same name, which a registry may
            give out that was restored to an older state.
        candidate: What would be served if the candidate were deployed in the newest revision.
    """

    name: str
    mode: TrialMode
    share: float
    began: int
    candidate: DeploymentRevision

    @property
    def project(self) -> str:
        """Id of the project."""
        return self.candidate.project

    def takes(self, texts: Sequence[str]) -> bool:
        """Whether a request falls to the candidate; the same texts always do, or never."""
        return _fraction(self.name, texts) < self.share


@dataclass(frozen=True, kw_only=True)
class TrialOver:
    """A trial that does not run any more."""

    name: str


class CandidateState(StrEnum):
    """Where a candidate stands on this server."""

    LOADING = "LOADING"
    READY = "READY"
    ERROR = "ERROR"


@dataclass(frozen=True, kw_only=True)
class TrialReport:
    """What this server tells of a trial.

    Attributes:
        trial: Resource name of the trial.
        reporter: Names who counted.
        sequence: Grows with each report that tells something new.
        counts: Since this process began.
        state: Where the candidate stands.
        error_message: Why it is in ERROR.
    """

    trial: str
    reporter: str
    sequence: int
    counts: Counts[AdapterKey]
    state: CandidateState
    error_message: str


def _fraction(trial: str, texts: Sequence[str]) -> float:
    """Return a number from 0 to below 1 that depends on the trial and the texts alone."""
    found = hashlib.sha256(f"{trial}\n{len(texts)}".encode())
    for text in texts[:_HASHED_TEXTS]:
        part = text[:_HASHED_CHARACTERS].encode("utf-8", "surrogatepass")
        found.update(b"%d:%d:" % (len(text), len(part)))
        found.update(part)
    return int.from_bytes(found.digest()[:8]) / 2**64
