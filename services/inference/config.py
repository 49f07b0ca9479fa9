"""Settings of the inference service."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from services.common.settings import ServiceSettings

_BATCH_TOKENS_CPU, _BATCH_TOKENS_GPU = 1024, 16_384
# Fewer hold hardly a text: each would be a run of its own.
_MIN_BATCH_TOKENS = 16


class InferenceSettings(ServiceSettings):
    """What can be set for inference: ``SPANLOOP_INFERENCE_<FIELD>`` in the environment."""

    service_name: ClassVar[str] = "inference"

    registry_address: str = Field(
        "127.0.0.1:50053", description="Address of the registry service, host:port."
    )
    annotation_address: str = Field(
        "127.0.0.1:50051", description="Address of the annotation service, host:port."
    )
    execution_provider: Literal["auto", "cpu", "cuda", "tensorrt"] = Field(
        "auto",
        description="Where models run: cpu, cuda, tensorrt (trunks in TensorRT, the rest in CUDA); "
        "auto takes CUDA where it works, else the CPU.",
    )
    cuda_graphs: bool = Field(
        False,
        description="Whether a trunk's runs of usual shapes are recorded and launched as a whole: "
        "less latency for small batches on a GPU, for memory and padding. With cuda.",
    )
    intra_op_threads: int = Field(
        0, ge=0, description="Threads within one run of a model; 0: one per core."
    )
    batch_tokens: int = Field(
        0,
        ge=0,
        description="Most tokens in one batch: more is faster on a GPU, and lets a short text wait "
        "longer behind others; at least 16; 0: 1,024 on a CPU, 16,384 on a GPU.",
    )
    background_batch_tokens: int = Field(
        0,
        ge=0,
        description="The same for batches of pre-annotation jobs, which go behind requests: one "
        "that comes meanwhile waits for the batch; 0: a quarter of a batch.",
    )
    queue_tokens: int = Field(
        262_144,
        ge=1,
        description="Most tokens of requests under way, of one project three quarters of it; past "
        "it requests are refused with a time to come back.",
    )
    cache_dir: Path | None = Field(
        None,
        description="Directory of verified copies of trunks and adapters. Default: `cache` in the "
        "service's part of the data directory.",
    )
    cache_bytes: int = Field(
        20 * 1024**3,
        ge=0,
        description="Bytes that the directory of copies may take; 0: any. What was used longest "
        "ago goes first; what serves stays, even beyond it.",
    )
    registry_silence_seconds: float = Field(
        60,
        gt=0,
        description="The registry's stream is opened again, and a download tried again, when "
        "nothing came for this long; of the stream not even a heartbeat.",
    )
    trial_report_seconds: float = Field(
        1.0,
        gt=0,
        description="How often the registry is told what was counted of a trial: about how long a "
        "canary that exceeds its limits goes on.",
    )
    canary_patience_seconds: float = Field(
        30,
        gt=0,
        description="A canary answers nothing when the registry has taken no report for this long, "
        "as nobody could end it; it goes on when the registry is back.",
    )
    server_report_seconds: float = Field(
        10,
        ge=0.5,
        le=600,
        description="How often the registry is told that this server is there and what it computes "
        "on; one that died counts as there for three times as long.",
    )
    load_retry_seconds: float = Field(
        0.5,
        gt=0,
        description="Pause before a failed load is tried again; doubles up to a minute.",
    )
    preannotation_page_size: int = Field(
        200, ge=1, le=1000, description="Tasks that a pre-annotation job reads at once."
    )
    preannotation_jobs_at_once: int = Field(
        4,
        ge=1,
        description="Pre-annotation jobs that a server runs side by side, of one project one at a "
        "time. They share the time that callers leave them.",
    )
    preannotation_lease_seconds: float = Field(
        10,
        gt=0,
        description="A pre-annotation job whose server died goes on elsewhere after this long.",
    )
    preannotation_deploy_wait_seconds: float = Field(
        5,
        ge=0,
        description="How long a pre-annotation job waits for a first deployment before it fails: "
        "one made a moment ago may not have been told yet.",
    )
    preannotation_patience_seconds: float = Field(
        120,
        gt=0,
        description="How long the annotation service may be away before a job fails.",
    )

    @field_validator("batch_tokens")
    @classmethod
    def _check_batch_tokens(cls, value: int) -> int:
        if 0 < value < _MIN_BATCH_TOKENS:
            raise ValueError(
                f"must be 0, to be chosen by the device, or at least {_MIN_BATCH_TOKENS}"
            )
        return value

    def batch_sizes(self, *, on_gpu: bool) -> tuple[int, int]:
        """Return the tokens of a batch and of one of background work."""
        # On a CPU larger batches gain nothing: at 500 tokens all cores are busy.
        usual = _BATCH_TOKENS_GPU if on_gpu else _BATCH_TOKENS_CPU
        batch = self.batch_tokens or usual
        return batch, self.background_batch_tokens or max(batch // 4, 1)

    @property
    def cache(self) -> Path:
        """The cache directory in use."""
        return self.cache_dir or self.service_dir / "cache"

    @property
    def engine_cache(self) -> Path:
        """Where TensorRT's engines are kept."""
        return self.service_dir / "tensorrt"
