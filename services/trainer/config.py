"""The trainer's settings."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from services.common.settings import ServiceSettings


class TrainerSettings(ServiceSettings):
    """Settings of the trainer service."""

    service_name: ClassVar[str] = "trainer"

    annotation_address: str = Field(
        "127.0.0.1:50051", description="Where the annotation service listens."
    )
    registry_address: str = Field(
        "127.0.0.1:50053", description="Where the registry service listens."
    )
    workers: int = Field(
        1, ge=0, le=64, description="Jobs trained at the same time; 0: only queue them."
    )
    cpu_slots: int = Field(
        0, ge=0, le=4096, description="Processor slots that jobs share; 0: the machine's cores."
    )
    gpus: int = Field(
        -1, ge=-1, le=64, description="GPUs that jobs share; -1: those that are found and work."
    )
    memory_bytes: int = Field(
        0, ge=0, description="Memory that jobs share; 0: four fifths of the machine's."
    )
    threads: int = Field(
        default=0,
        ge=0,
        description="Processor threads of a training; 0: one per processor slot of the job, or "
        "all cores where only one job runs at a time.",
    )
    providers: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="What runs the trunk. auto: a GPU for the jobs that take one, the CPU for the "
        "others; or as said for all of them.",
    )
    worker_beat_seconds: float = Field(
        5,
        gt=0,
        description="Time between signs of life of a worker; after three that are missing it "
        "counts as gone.",
    )
    reserve_seconds: float = Field(
        60,
        ge=0,
        description="How long a job that needs more than is free may be passed by smaller ones; "
        "then a worker is kept free for it.",
    )
    unfit_seconds: float = Field(
        3600,
        gt=0,
        description="How long a job waits while no live worker is large enough for it, before it "
        "fails.",
    )
    trunk_source: str = Field(
        "embedded:all-MiniLM-L6-v2", description="Trunk of jobs that do not name one."
    )
    precision_label_loss: float = Field(
        0.03,
        ge=0,
        le=1,
        description="F1 on dev that a label may lose against the trunk in fp32 by another "
        "precision; one that loses more has the precision refused. 1: it is not looked at.",
    )
    precision_min_spans: int = Field(
        200,
        ge=1,
        description="Annotated spans on dev that a label needs to be held to that: with fewer, two "
        "trainings differ by more than that anyway.",
    )
    lease_seconds: float = Field(
        30, ge=0.5, description="A worker that was silent for this long has lost its job."
    )
    max_attempts: int = Field(
        3, ge=1, le=100, description="Times that a job is begun before it counts as WORKER_LOST."
    )
    poll_seconds: float = Field(
        1.0, gt=0, description="Time between looks at the queue for what other processes changed."
    )
    peer_retry_seconds: float = Field(
        60,
        ge=0,
        description="How long a job waits for an unreachable service before it fails.",
    )
    stop_seconds: float = Field(
        8,
        ge=0,
        description="Time that training has to reach a checkpoint when the service stops or a job "
        "is cancelled; after that its process is killed.",
    )
    kept_failed_jobs: int = Field(
        10, ge=0, description="Working directories of failed jobs that are kept for inspection."
    )
    activation_cache_bytes: int = Field(
        8 * 1024**3,
        ge=0,
        description="Most bytes of cached trunk activations; the least recently used go first. "
        "What a training needs beyond it lies in the job's folder while it runs.",
    )

    @property
    def jobs_dir(self) -> Path:
        """Where each job has its working directory."""
        return self.service_dir / "jobs"

    @property
    def cache_dir(self) -> Path:
        """Where trunk activations are cached."""
        return self.service_dir / "activations"

    @property
    def trunks_dir(self) -> Path:
        """Where exported and downloaded trunks lie, by digest."""
        return self.service_dir / "trunks"
