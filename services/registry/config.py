"""Settings of the registry service."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from services.common.settings import ServiceSettings


class RegistrySettings(ServiceSettings):
    """What can be set for the registry: ``SPANLOOP_REGISTRY_<FIELD>`` in the environment."""

    service_name: ClassVar[str] = "registry"

    artifacts_url: str = Field(
        default="",
        description=(
            "Where the bytes of trunks and adapters are kept: file:///directory, "
            "s3://bucket/prefix, gs://… or az://…. Empty: a directory below the data directory."
        ),
    )
    max_artifact_bytes: int = Field(
        default=8 * 1024**3,
        gt=0,
        description="Largest file that may be uploaded, in bytes.",
    )
    artifact_grace_seconds: int = Field(
        default=7 * 24 * 3600,
        ge=600,
        description=(
            "RunRetention keeps what was uploaded, registered or used less than so many seconds "
            "ago. Longer than any upload with the registration that follows it."
        ),
    )
    deployment_poll_seconds: float = Field(
        default=0.5,
        gt=0,
        description=(
            "How often to look for deployments moved by another process on the same database; "
            "moves made by this process reach its watchers at once."
        ),
    )

    cpu_precision: Literal["fp32", "int8"] = Field(
        default="fp32",
        description=(
            "Precision of the trunk for trainings that name none, when all inference servers "
            "compute on a CPU. int8 answers in half the time and costs some labels F1."
        ),
    )
    cuda_precision: Literal["fp32", "fp16"] = Field(
        default="fp16",
        description="The same when all inference servers compute on CUDA.",
    )

    @property
    def artifacts(self) -> str:
        """The effective URL of the artifact store."""
        if self.artifacts_url:
            return self.artifacts_url
        return (self.data_dir.resolve() / self.service_name / "artifacts").as_uri()
