"""How a project trains: versioning, the gate before deploying, active learning. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.trainer.domain import ModelType, TrainingData, TrainingJob

DEFAULT_NEW_COMPLETIONS = 50
DEFAULT_LABEL_REGRESSION = 0.02


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What a version must reach before it is deployed by itself."""

    min_micro_f1: float = 0.0
    max_label_regression: float = DEFAULT_LABEL_REGRESSION


def default_template() -> TrainingJob:
    """Return what is trained when nobody says: all completions, with the defaults."""
    return TrainingJob(project="", id="", snapshot="", trunk_source="", data=TrainingData())


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Trains by itself when annotations have come in.

    Attributes:
        enabled: On or off.
        min_new_completions: Train when so many were submitted since the last run began.
        max_interval: Train also after so many microseconds with at least one; 0: no.
        deploy: Deploy what passes the gate.
        model_type: What to train; None: all that the project has.
        template: What the jobs have in common.
    """

    enabled: bool = False
    min_new_completions: int = DEFAULT_NEW_COMPLETIONS
    max_interval: int = 0
    deploy: bool = False
    model_type: ModelType | None = None
    template: TrainingJob = field(default_factory=default_template)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a project trains. `version` counts the changes; 0: nothing was ever changed."""

    project: str
    versioning_disabled: bool = False
    policy: Policy = field(default_factory=Policy)
    gate: Gate = field(default_factory=Gate)
    version: int = 0
    update_time: int = 0

    @property
    def name(self) -> str:
        """``projects/{project}/trainingSettings``."""
        return f"projects/{self.project}/trainingSettings"

    @property
    def etag(self) -> str:
        """Changes with every change."""
        return f"v{self.version}"
