"""In which precision a job reads its trunk: who decides, and what becomes of a refusal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.common.clock import SystemClock
from services.common.errors import Reason, SpanloopError, UnavailableError
from services.trainer.domain import (
    Failure,
    FailureReason,
    JobFailedError,
    TrainingJob,
    Transfer,
    TrunkPrecision,
)
from services.trainer.engines.catalog import installed_engines
from services.trainer.job_files import PrecisionCheck
from services.trainer.job_trunk import JobTrunk, PrecisionLimits
from services.trainer.planning import _may_be
from services.trainer.ports import ChosenPrecision, RegisteredVersion
from services.trainer.retrying import PeerCalls

REFUSED = Failure(reason=FailureReason.PRECISION_REFUSED, message="It costs 'A' too much.")


class Held:
    """A held job whose writes are counted."""

    def __init__(self, job: TrainingJob) -> None:
        self.job = job
        self.written: list[TrunkPrecision | None] = []

    def choose_precision(self, precision: TrunkPrecision) -> None:
        self.job = replace(self.job, trunk_precision=precision)

    async def flush(self) -> None:
        self.written.append(self.job.trunk_precision)


class Registry:
    def __init__(self, precision: str = "fp16") -> None:
        self.precision = precision
        self.asked = 0
        self.trouble: SpanloopError | None = None

    async def choose_precision(self) -> ChosenPrecision:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
        return ChosenPrecision(precision=self.precision, reason="2 servers compute on CUDA.")

    async def get_version(self, name: str) -> RegisteredVersion:
        return RegisteredVersion(name=name, state="READY", adapters={}, trunk_digest="sha256:t")


class Trunks:
    """Everything but fp32 is registered."""

    async def find(self, source: str, peer: Any) -> Path | None:
        return Path("/trunks") / source if "@" in source else None

    async def get(self, digest: str, peer: Any) -> Path:
        return Path("/trunks") / digest


class Case:
    def __init__(
        self, registry: Registry | None = None, max_label_loss: float = 0.03, **fields: Any
    ) -> None:
        values = {"trunk_source": "embedded:x", "project": "p", "id": "j", "snapshot": "s"}
        self.held: Any = Held(TrainingJob(**{**values, **fields}))
        self.registry: Any = registry or Registry()
        self.lines: list[tuple[str, str]] = []
        trunks: Any = Trunks()

        def note(level: str, message: str) -> None:
            self.lines.append((level, message))

        self.trunk = JobTrunk(
            self.held,
            registry=self.registry,
            trunks=trunks,
            engines=installed_engines(()),
            limits=PrecisionLimits(max_label_loss=max_label_loss, min_spans=50),
            peer=PeerCalls(SystemClock(), retry_seconds=0, note=note),
            note=note,
        )

    @property
    def chosen(self) -> TrunkPrecision:
        found: TrunkPrecision = self.held.job.trunk_precision
        return found


async def test_the_registry_chooses_where_the_job_names_none() -> None:
    case = Case()
    found = await case.trunk.find()
    assert found.source == "embedded:x@fp16"
    assert found.folder == Path("/trunks/embedded:x@fp16")
    assert found.check == PrecisionCheck(
        fp32_folder="", train=False, max_label_loss=0.03, min_spans=50
    )
    reason = "The registry chose it: 2 servers compute on CUDA."
    assert case.chosen == TrunkPrecision(precision="fp16", reason=reason)
    assert case.held.written == [case.chosen]
    assert case.lines == [("info", f"The trunk is read in fp16. {reason}")]


async def test_fp32_is_held_against_nothing() -> None:
    case = Case(Registry("fp32"))
    found = await case.trunk.find()
    assert (found.source, found.folder, found.check) == ("embedded:x", None, None)


async def test_where_any_loss_is_allowed_nothing_is_measured() -> None:
    case = Case(max_label_loss=1.0)
    found = await case.trunk.find()
    assert (found.source, found.check) == ("embedded:x@fp16", None)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
async def test_what_the_job_asks_for_wins(precision: str) -> None:
    case = Case(Registry("fp16"), trunk_source=f"embedded:x@{precision}")
    found = await case.trunk.find()
    assert case.chosen == TrunkPrecision(precision=precision, reason="The job asks for it.")
    assert found.source == ("embedded:x" if precision == "fp32" else f"embedded:x@{precision}")
    assert (found.check is None) == (precision == "fp32")
    if found.check is not None:
        assert found.check.train == (precision == "int8")
    assert case.registry.asked == 0


@pytest.mark.parametrize("engine", ["lora", "full"])
async def test_engines_that_change_the_trunk_read_it_in_fp32(engine: str) -> None:
    case = Case(engine=engine)
    assert (await case.trunk.find()).source == "embedded:x"
    assert "changes the trunk" in case.chosen.reason
    assert case.registry.asked == 0


@pytest.mark.parametrize(
    "base",
    [
        {"base_model_version": "projects/p/modelVersions/v"},
        {"transfer": Transfer(model_version="projects/p/modelVersions/v")},
    ],
)
@pytest.mark.parametrize("source", ["embedded:x", "embedded:x@int8"])
async def test_a_base_version_decides_whatever_the_servers_are(
    base: dict[str, Any], source: str
) -> None:
    case = Case(trunk_source=source, **base)
    found = await case.trunk.find()
    assert (found.source, found.folder, found.check) == (source, Path("/trunks/sha256:t"), None)
    assert case.chosen.precision == ("int8" if "@" in source else "fp32")
    assert "would choose fp16: 2 servers compute on CUDA." in case.chosen.reason
    same = Case(Registry(case.chosen.precision), trunk_source=source, **base)
    await same.trunk.find()
    assert "would choose" not in same.chosen.reason


async def test_a_later_attempt_keeps_to_the_choice() -> None:
    kept = TrunkPrecision(precision="fp32", reason="It was refused.")
    case = Case(trunk_precision=kept)
    assert (await case.trunk.find()).source == "embedded:x"
    assert (case.chosen, case.registry.asked, case.held.written) == (kept, 0, [])


async def test_a_precision_of_a_later_release_is_not_guessed() -> None:
    case = Case(Registry("bf16"))
    with pytest.raises(JobFailedError, match="'bf16', which this trainer") as caught:
        await case.trunk.find()
    assert caught.value.failure.reason is FailureReason.PEER_FAILED
    assert case.held.written == []


async def test_a_registry_that_is_away_fails_the_job_in_the_end() -> None:
    case = Case()
    case.registry.trouble = UnavailableError(Reason.PEER_UNAVAILABLE, "It is away.")
    with pytest.raises(JobFailedError, match="Asking the registry for the trunk's precision"):
        await case.trunk.find()
    assert case.held.written == []


async def test_a_refused_choice_of_the_registry_is_made_good_once() -> None:
    case = Case()
    await case.trunk.find()
    assert await case.trunk.fall_back(REFUSED)
    assert case.chosen.precision == "fp32"
    assert case.chosen.reason == f"The registry's choice was refused: {REFUSED.message}"
    assert case.held.written[-1] == case.chosen
    assert case.lines[-1][0] == "warning"
    found = await case.trunk.find()
    assert (found.source, found.check) == ("embedded:x", None)


async def test_other_failures_and_what_was_asked_for_are_not_made_good() -> None:
    asked = Case(trunk_source="embedded:x@fp16")
    await asked.trunk.find()
    assert not await asked.trunk.fall_back(REFUSED)
    case = Case()
    await case.trunk.find()
    other = Failure(reason=FailureReason.PARITY_FAILED, message="")
    assert not await case.trunk.fall_back(other)
    assert case.chosen.precision == "fp16"


def test_any_precision_of_a_trunk_will_do_for_a_job_that_names_none() -> None:
    assert _may_be("x", "x")
    assert _may_be("x", "x@fp16")
    assert _may_be("x@fp16", "x@fp16")
    assert _may_be("x@fp32", "x")
    assert not _may_be("x@fp32", "x@fp16")
    assert not _may_be("x@int8", "x@fp16")
    assert not _may_be("y", "x@fp16")
