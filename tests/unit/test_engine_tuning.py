"""The engines that change the trunk, on tiny encoders: what they export is what they trained."""

from __future__ import annotations

import copy
import dataclasses
import logging
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from services.common.modeling.adapter import load_adapter
from services.common.modeling.manifest import FileDigest, LadderArchitecture, TrunkManifest
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.predictor import TextPredictor
from services.common.modeling.states import WordStateReader, cut_segments
from services.common.modeling.tokenisation import TextTokenizer
from services.common.modeling.word_features import FEATURE_COUNT
from services.trainer.engines import joint_training
from services.trainer.engines.alignment import AlignmentNotes
from services.trainer.engines.batch import Layout, lay_out
from services.trainer.engines.built_in import FULL, LORA
from services.trainer.engines.dataset import Rows, TextSplit, build_text_split
from services.trainer.engines.interface import (
    AdapterArtifact,
    Cancelled,
    EngineError,
    Example,
    NoTrainingDataError,
    TrainEvent,
    TrainRequest,
    TrainResult,
)
from services.trainer.engines.joint_training import JointSettings, JointTrainer
from services.trainer.engines.ladder import Ladder
from services.trainer.engines.params import LadderParams
from services.trainer.engines.tags_task import TagsTask
from services.trainer.engines.training_plan import TrainedLadder
from services.trainer.engines.trunk_engine import train_full, train_lora
from services.trainer.engines.trunk_export import export_trunk
from services.trainer.engines.trunk_source import TrunkSource, TrunkSourceError, load_trunk
from services.trainer.engines.tunable_trunk import TunableTrunk
from tests.unit.tiny_encoder import FAMILIES, save_model

pytestmark = pytest.mark.filterwarnings("default")

NAMES = ["Acme", "Bolt", "Cora", "Dune", "Echo", "Fox", "Gild", "Hale"]
PARAMS = LadderParams(
    width=8,
    dropout=0.1,
    tap_dropout=0.0,
    batch_words=64,
    epochs=4,
    learning_rate=1e-2,
    learning_rate_decay=0.1,
    ema=0.0,
    max_length=64,
    stride=16,
)
CPU = ["CPUExecutionProvider"]
TRAIN = {"lora": train_lora, "full": train_full}
OPTIONS = {
    "lora": {**LORA.option_values({}), "rank": 4, "trunk_learning_rate": 1e-2},
    "full": {**FULL.option_values({}), "trunk_learning_rate": 3e-3},
}


def examples(count: int, seed: int) -> list[Example]:
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        name, year = draw.choice(NAMES), str(draw.randint(1900, 2030))
        text = f"the firm {name} ltd pays in {year} again"
        start, at = text.index(name), text.index(year)
        spans = [(start, start + len(name) + 4, "PARTY"), (at, at + 4, "YEAR")]
        made.append(Example(text=text, spans=spans))
    return made


@pytest.fixture(scope="module", autouse=True)
def _no_traces() -> Iterator[None]:
    """The exporter logs each of its thousands of steps, and pytest would format them all."""
    logger = logging.getLogger("torch.__trace")
    propagate, logger.propagate = logger.propagate, False
    yield
    logger.propagate = propagate


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with, in `trunk`, its export."""
    folder = save_model("bert", tmp_path_factory.mktemp("bert"))
    export_trunk(load_trunk(str(folder))).write(folder / "trunk")
    return folder


def wanted_of(encoder: Path, tmp_path: Path, engine: str, **changes: object) -> TrainRequest:
    values: dict[str, object] = {
        "train": examples(48, 1),
        "dev": examples(12, 2),
        "test": examples(12, 3),
        "labels": ["PARTY", "YEAR"],
        "trunk_folder": encoder / "trunk",
        "trunk_source": str(encoder),
        "work_dir": tmp_path / "work",
        "cache_dir": tmp_path / "cache",
        "params": PARAMS,
        "options": OPTIONS[engine],
        "lineage": {"snapshot": "s1"},
        "threads": 1,
    }
    return TrainRequest(**(values | changes))  # type: ignore[arg-type]


def never() -> bool:
    return False


@pytest.fixture(scope="module", params=["lora", "full"])
def trained(
    request: pytest.FixtureRequest, encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, TrainResult, list[TrainEvent]]:
    engine: str = request.param
    events: list[TrainEvent] = []
    wanted = wanted_of(encoder, tmp_path_factory.mktemp(engine), engine)
    return engine, TRAIN[engine](wanted, events.append, never), events


def test_the_tuned_trunk_serves_what_was_evaluated(
    trained: tuple[str, TrainResult, list[TrainEvent]], encoder: Path
) -> None:
    engine, result, events = trained
    assert result.parity.passed, result.parity.reason
    assert result.evaluations["test"].micro.f1 > 0.8
    assert result.trunk_folder is not None
    runner = TrunkRunner.open_folder(result.trunk_folder, providers=CPU, threads=1)
    base = TrunkRunner.open_folder(encoder / "trunk", providers=CPU, threads=1)
    assert runner.manifest.digest != base.manifest.digest
    assert runner.manifest.source == f"tuned:{encoder}"
    adapters = [load_adapter(a.manifest, a.weights) for a in result.adapters.values()]
    for adapter in adapters:
        assert adapter.manifest.trunk_digest == runner.manifest.digest
        assert adapter.manifest.lineage["engine"] == engine
        assert adapter.manifest.lineage["base_trunk_digest"] == base.manifest.digest
        assert adapter.manifest.lineage["snapshot"] == "s1"
    bank = Bank.stack(BankRuntime(runner.manifest, providers=CPU), adapters)
    reader = WordStateReader(runner, max_length=64, stride=16)
    gold = examples(12, 3)
    found = TextPredictor(reader, bank).predict([example.text for example in gold])
    correct = sum(
        len({(s.start, s.end, s.label) for s in spans} & set(example.spans))
        for spans, example in zip(found, gold, strict=True)
    )
    assert abs(correct - result.evaluations["test"].micro.correct) <= 1
    # One trunk, so one epoch for all labels.
    assert len(set(result.best_epochs.values())) == 1
    progress = [event.progress for event in events]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


def test_a_stopped_run_resumes_to_the_same_result(
    trained: tuple[str, TrainResult, list[TrainEvent]],
    encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine, whole, _ = trained
    monkeypatch.setattr(joint_training, "CHECKPOINT_SECONDS", 0.0)
    wanted = wanted_of(encoder, tmp_path, engine)
    epochs: list[int] = []
    asked = [0]

    def should_stop() -> bool:
        # Some steps into an epoch, so that work after the checkpoint is lost.
        asked[0] += len(epochs) >= 2
        return asked[0] > 2

    with pytest.raises(Cancelled):
        TRAIN[engine](wanted, lambda e: epochs.append(e.epoch) if e.epoch else None, should_stop)
    events: list[TrainEvent] = []
    result = TRAIN[engine](wanted, events.append, never)
    assert any("resumed after epoch 2" in event.message for event in events)
    assert result.adapters == whole.adapters
    assert result.evaluations == whole.evaluations


def test_stopping_is_asked_for_between_steps(encoder: Path, tmp_path: Path) -> None:
    asked: list[int] = []

    def should_stop() -> bool:
        asked.append(1)
        return len(asked) > 6

    events: list[TrainEvent] = []
    with pytest.raises(Cancelled):
        train_full(wanted_of(encoder, tmp_path, "full"), events.append, should_stop)
    assert len(asked) == 7
    assert events[-1].stage == "TRAINING"
    assert not events[-1].epoch


def joint(
    work: Path, *, params: LadderParams = PARAMS, dev: bool = True
) -> tuple[TrainedLadder, list[str]]:
    """Run the loop alone, without the time that an export takes."""
    source = load_trunk(str(save_model("bert", work / "model")))
    for module in source.model.modules():
        # The encoder's dropout masks follow from the shape of what goes through at once.
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    trunk = torch_twin(source)
    reader = WordStateReader(trunk, max_length=64, stride=16)  # type: ignore[arg-type]
    splits = []
    for made in (examples(24, 1), examples(6, 2)):
        texts = reader.prepare([example.text for example in made])
        splits.append(build_text_split(made, texts, ["PARTY", "YEAR"], AlignmentNotes()))
    said: list[str] = []
    trainer = JointTrainer(
        task=TagsTask(["PARTY", "YEAR"]),
        trunk=trunk,
        architecture=LadderArchitecture(
            hidden_size=16, width=8, taps=(0, 1, 2), context=1, features=FEATURE_COUNT
        ),
        train=splits[0],
        dev=splits[1] if dev else None,
        params=params,
        settings=JointSettings(trunk_learning_rate=3e-3),
        run_digest="r",
        work_dir=work,
        say=said.append,
    )
    return trainer.run(lambda _: None, lambda _: None, never), said


def test_when_memory_runs_out_the_batch_is_halved_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = dataclasses.replace(PARAMS, epochs=1, dropout=0.0)
    whole, said = joint(tmp_path / "whole", params=params)
    assert not said
    real = TunableTrunk.read

    def short_of_memory(self: TunableTrunk, split: TextSplit, layout: Layout) -> torch.Tensor:
        if torch.is_grad_enabled() and len(layout.rows) > 3:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return real(self, split, layout)

    monkeypatch.setattr(TunableTrunk, "read", short_of_memory)
    halved, said = joint(tmp_path / "halved", params=params)
    assert len(said) == 2
    assert all("halved" in line and "tried again" in line for line in said)
    for name, weights in whole.ladder.named_parameters():
        found = halved.ladder.get_parameter(name)
        np.testing.assert_allclose(
            weights.detach().numpy(), found.detach().numpy(), atol=2e-3, err_msg=name
        )


def test_memory_that_suffices_for_no_text_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(*args: object) -> object:
        raise MemoryError

    monkeypatch.setattr(TunableTrunk, "read", no_memory)
    with pytest.raises(MemoryError):
        joint(tmp_path)


def test_averaged_weights_are_those_that_are_kept(tmp_path: Path) -> None:
    params = dataclasses.replace(PARAMS, epochs=1)
    plain, _ = joint(tmp_path / "plain", params=params, dev=False)
    kept, _ = joint(tmp_path / "kept", params=dataclasses.replace(params, ema=0.999), dev=False)
    # An average of the way lies behind its end.
    first = Ladder(plain.ladder.architecture, plain.ladder.labels, params.seed)
    way = [
        float((ladder.weight("head_weight") - first.weight("head_weight")).detach().norm())
        for ladder in (plain.ladder, kept.ladder)
    ]
    assert 0 < way[1] < way[0]


def test_a_linear_head_reads_the_last_layer_alone(encoder: Path, tmp_path: Path) -> None:
    wanted = wanted_of(encoder, tmp_path, "full", options={**OPTIONS["full"], "head": "linear"})
    result = train_full(wanted, lambda _: None, never)
    artifact = result.adapters["YEAR"]
    adapter = load_adapter(artifact.manifest, artifact.weights)
    assert adapter.manifest.architecture.taps == (2,)
    assert adapter.manifest.architecture.context == 0
    assert not adapter.tensors["feature_weight"].any()
    assert result.parity.passed
    assert result.evaluations["test"].labels["YEAR"].f1 > 0.8


def test_without_dev_some_training_texts_decide(encoder: Path, tmp_path: Path) -> None:
    result = train_full(wanted_of(encoder, tmp_path, "full", dev=[]), lambda _: None, never)
    assert set(result.evaluations) == {"held_out", "test"}
    fixed, _ = joint(tmp_path / "b", dev=False)
    assert set(fixed.best_epochs.values()) == {PARAMS.epochs}
    assert {decoding.outside_bias for decoding in fixed.decodings.values()} == {0.0}


def test_what_cannot_work_is_refused(encoder: Path, tmp_path: Path) -> None:
    def run(**changes: object) -> None:
        train_lora(wanted_of(encoder, tmp_path, "lora", **changes), lambda _: None, never)

    with pytest.raises(EngineError, match=r"targets 'querry' names no matrix.*query"):
        run(options={**OPTIONS["lora"], "targets": "querry"})
    with pytest.raises(NoTrainingDataError):
        run(labels=[])
    with pytest.raises(NoTrainingDataError):
        run(train=[Example(text=" ")])
    with pytest.raises(EngineError, match="cannot start from"):
        run(initial={"YEAR": AdapterArtifact(manifest=b"", weights=b"")})
    with pytest.raises(TrunkSourceError, match="tuned by a job"):
        load_trunk(f"tuned:{encoder}")


def test_weights_other_than_the_trunks_are_refused(encoder: Path, tmp_path: Path) -> None:
    other = save_model("bert", tmp_path / "other")
    model = load_trunk(str(other)).model
    with torch.no_grad():
        model.get_parameter("embeddings.word_embeddings.weight").add_(torch.randn(16))
    model.save_pretrained(other)  # type: ignore[operator]
    with pytest.raises(EngineError, match="not those of the registered trunk"):
        train_full(
            wanted_of(encoder, tmp_path, "full", trunk_source=str(other)), lambda _: None, never
        )


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_read_as_it_is_served_and_learns(family: str, tmp_path: Path) -> None:
    """Words of long texts, cut anywhere: the states are those of the serving path."""
    source = load_trunk(str(save_model(family, tmp_path)))
    runner = torch_twin(source)
    reader = WordStateReader(runner, max_length=24, stride=8)  # type: ignore[arg-type]
    texts = ["abc de " * 30, "", "\ufffd x", "a" * 90 + " bcd", "one, two 3"]
    made = [Example(text=text) for text in texts]
    prepared = reader.prepare(texts)
    split = build_text_split(made, prepared, ["A"], AlignmentNotes())
    trunk = TunableTrunk.lora(
        source,
        runner.manifest,
        runner.tokenizer,
        torch.device("cpu"),
        options=OPTIONS["lora"],
        seed=0,
        should_stop=never,
    )
    trunk.train(training=False)
    rows = [Rows(start=0, end=17), Rows(start=17, end=60), Rows(start=60, end=split.words)]
    layout = lay_out(rows[:2], 2)
    states = trunk.read(split, layout)
    served = reader.read(cut_segments(prepared[0], 1000, 0))[0].states
    np.testing.assert_allclose(
        states.detach().numpy()[:, layout.source >= 0], served[:, :60], atol=1e-4
    )
    states.square().mean().backward()  # type: ignore[no-untyped-call]
    assert any(
        parameter.grad is not None and parameter.grad.any()
        for parameter in trunk.parameters.values()
    )
    with torch.no_grad():
        for parameter in trunk.parameters.values():
            parameter.add_(0.05 * torch.randn_like(parameter))
    ids = np.asarray([[2, 9, 10, 11, 3]])
    before = trunk.run(ids, np.ones_like(ids))
    merged = torch_twin(trunk.merged())
    np.testing.assert_allclose(merged.run(ids, np.ones_like(ids)), before, atol=1e-4)
    assert np.abs(runner.run(ids, np.ones_like(ids)) - before).max() > 0


class TorchTwin(TunableTrunk):
    """Stands in for a ``TrunkRunner``."""

    runs_alone = False
    run_cost = 0
    max_windows = None


def torch_twin(source: TrunkSource) -> TorchTwin:
    """Return an encoder as something that runs windows, without the time that an export takes."""
    tokenizer = TextTokenizer.from_bytes(source.tokenizer.backend_tokenizer.to_str().encode())
    manifest = TrunkManifest(
        name="tiny",
        source="local",
        architecture=source.architecture,
        hidden_size=16,
        taps=3,
        max_length=64,
        pad_token_id=0,
        precision="fp32",
        opset=20,
        files={"tokenizer.json": FileDigest.of(b"")},
    )
    twin = dataclasses.replace(source, model=copy.deepcopy(source.model))
    return TorchTwin.full(twin, manifest, tokenizer, torch.device("cpu"), should_stop=never)
