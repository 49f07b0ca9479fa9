"""Which trunk a job reads: from where, in which precision, and what to do when that is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.trainer.domain import (
    Failure,
    FailureReason,
    JobFailedError,
    TrainingJob,
    TrunkPrecision,
)
from services.trainer.engines.catalog import EngineCatalog
from services.trainer.engines.trunk_names import (
    FP32,
    PRECISIONS,
    TRAINED_TWICE,
    asked_precision,
    in_precision,
    split_precision,
)
from services.trainer.held_job import HeldJob
from services.trainer.job_files import PrecisionCheck
from services.trainer.ports import ChosenPrecision, RegistryPeer
from services.trainer.retrying import PeerCalls
from services.trainer.trunks import TrunkStore


@dataclass(frozen=True, kw_only=True)
class PrecisionLimits:
    """What a precision may cost: F1 on dev of a label with at least so many spans there; 1: any."""

    max_label_loss: float
    min_spans: int


@dataclass(frozen=True, kw_only=True)
class FoundTrunk:
    """The trunk of an attempt.

    Attributes:
        source: Where it comes from, with its precision.
        reason: Why in that precision, for people.
        folder: The exported trunk; None: the child exports it.
        check: What the precision is held to; None: nothing.
    """

    source: str
    reason: str
    folder: Path | None
    check: PrecisionCheck | None


class JobTrunk:
    """Finds the trunk of one held job. What was chosen once holds for later attempts too."""

    def __init__(
        self,
        held: HeldJob,
        *,
        registry: RegistryPeer,
        trunks: TrunkStore,
        engines: EngineCatalog,
        limits: PrecisionLimits,
        peer: PeerCalls,
        note: Callable[[str, str], None],
    ) -> None:
        """Ask `registry` through `peer`; `note(level, message)` writes a log."""
        self._held = held
        self._registry = registry
        self._trunks = trunks
        self._engines = engines
        self._limits = limits
        self._peer = peer
        self._note = note

    async def find(self) -> FoundTrunk:
        """Return the trunk.

        Raises:
            JobFailedError: The registry refused or stayed away, or its trunk cannot be used.
        """
        job = self._held.job
        chosen = job.trunk_precision
        if chosen is None:
            chosen = await self._choose(job)
            self._held.choose_precision(chosen)
            # Stored before anything is computed with it: a later attempt goes on with it.
            await self._held.flush()
        self._note("info", f"The trunk is read in {chosen.precision}. {chosen.reason}")
        source = in_precision(job.trunk_source, chosen.precision)
        if job.based_on:
            name = job.based_on
            base = await self._peer(
                "Reading the base model version", lambda: self._registry.get_version(name)
            )
            folder: Path | None = await self._trunks.get(base.trunk_digest, self._peer)
            return FoundTrunk(source=source, reason=chosen.reason, folder=folder, check=None)
        folder = await self._trunks.find(source, self._peer)
        check = None
        if chosen.precision != FP32 and self._limits.max_label_loss < 1:
            check = await self._check(in_precision(source, FP32), chosen.precision)
        return FoundTrunk(source=source, reason=chosen.reason, folder=folder, check=check)

    async def fall_back(self, failure: Failure) -> bool:
        """Read the trunk in fp32 from now on, if a precision was refused that nobody asked for.

        Returns:
            Whether the job can be computed again.
        """
        job = self._held.job
        if failure.reason is not FailureReason.PRECISION_REFUSED or _asked(job):
            return False
        reason = f"The registry's choice was refused: {failure.message}"
        self._note("warning", f"{reason} Training again on the trunk in fp32.")
        self._held.choose_precision(TrunkPrecision(precision=FP32, reason=reason))
        await self._held.flush()
        return True

    async def _choose(self, job: TrainingJob) -> TrunkPrecision:
        _, precision = split_precision(job.trunk_source)
        if job.based_on:
            return await self._kept(job, precision)
        if asked := _asked(job):
            return TrunkPrecision(precision=asked, reason="The job asks for it.")
        engine = self._engines.engines.get(job.engine)
        if engine is not None and engine.own_trunk:
            reason = f"The engine {job.engine} changes the trunk and exports it in fp32."
            return TrunkPrecision(precision=FP32, reason=reason)
        chosen = await self._chosen()
        if chosen.precision not in (FP32, *PRECISIONS):
            raise JobFailedError(
                FailureReason.PEER_FAILED,
                f"The registry chose the precision {chosen.precision[:50]!r}, which this trainer "
                "does not know: update the trainer, or name a precision in trunk_source.",
            )
        return TrunkPrecision(
            precision=chosen.precision, reason=f"The registry chose it: {chosen.reason}"
        )

    async def _kept(self, job: TrainingJob, precision: str) -> TrunkPrecision:
        """Keep to the trunk of another version, and say so where the servers have changed."""
        reason = (
            f"{job.based_on} reads it so, and weights and adapters fit one trunk only: whatever "
            "the inference servers compute on, the job keeps to it."
        )
        chosen = await self._chosen()
        if chosen.precision != precision:
            reason += (
                f" For a new model the registry would choose {chosen.precision}: {chosen.reason} "
                "To move there, train without a base version."
            )
        return TrunkPrecision(precision=precision, reason=reason)

    async def _chosen(self) -> ChosenPrecision:
        return await self._peer(
            "Asking the registry for the trunk's precision", self._registry.choose_precision
        )

    async def _check(self, source: str, precision: str) -> PrecisionCheck:
        folder = await self._trunks.find(source, self._peer)
        return PrecisionCheck(
            fp32_folder="" if folder is None else str(folder),
            train=precision in TRAINED_TWICE,
            max_label_loss=self._limits.max_label_loss,
            min_spans=self._limits.min_spans,
        )


def _asked(job: TrainingJob) -> str:
    """Return the precision that the job names, or nothing."""
    return asked_precision(job.trunk_source)[1]
