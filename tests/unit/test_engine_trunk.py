"""Any encoder family becomes a trunk by the same code; tiny random ones stand for the real ones."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.states import WordStateReader, cut_segments
from services.trainer.engines import trunk_export, trunk_source
from services.trainer.engines.interface import Example, TrainRequest
from services.trainer.engines.ladder_engine import train
from services.trainer.engines.params import LadderParams
from services.trainer.engines.trunk_export import TrunkArtifact, TrunkExportError, export_trunk
from services.trainer.engines.trunk_names import split_precision
from services.trainer.engines.trunk_source import TrunkSourceError, load_trunk, verify_weights
from tests.unit.tiny_encoder import FAMILIES, save_model

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module", autouse=True)
def _no_traces() -> Iterator[None]:
    """The exporter logs each of its thousands of steps, and pytest would format them all."""
    logger = logging.getLogger("torch.__trace")
    propagate, logger.propagate = logger.propagate, False
    yield
    logger.propagate = propagate


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrunkArtifact]:
    folder = save_model("bert", tmp_path_factory.mktemp("bert"))
    return folder, export_trunk(load_trunk(str(folder)))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_exports_and_serves(
    family: str, tmp_path: Path, bert: tuple[Path, TrunkArtifact]
) -> None:
    artifact = bert[1]
    if family != "bert":
        artifact = export_trunk(load_trunk(str(save_model(family, tmp_path / "model"))))
    assert (artifact.manifest.source, artifact.manifest.architecture) == ("local", family)
    assert float(artifact.agreement.rsplit(" ", 1)[1]) < 1e-3
    assert artifact.manifest.taps == 3
    assert artifact.manifest.max_length == 64
    artifact.write(tmp_path / "trunk")
    runner = TrunkRunner.open_folder(
        tmp_path / "trunk", providers=["CPUExecutionProvider"], threads=1
    )
    # The longest window that the manifest promises must run, and padding must not matter.
    ids = np.full((1, 64), 7, dtype=np.int64)
    assert runner.run(ids, np.ones_like(ids)).shape == (3, 1, 64, 16)
    short = np.asarray([[2, 9, 10, 3]])
    padded = np.pad(short, ((0, 0), (0, 20)))
    mask = (np.arange(24) < 4).astype(np.int64)[None]
    np.testing.assert_allclose(
        runner.run(padded, mask)[:, :, :4], runner.run(short, np.ones_like(short)), atol=1e-4
    )
    reader = WordStateReader(runner, max_length=64, stride=16)
    (text,) = reader.prepare(["Ab cd " * 60])
    assert len(text.windows) > 2
    # What `ignores_company` promises: no bit depends on what shares the run.
    assert runner.ignores_company
    texts = reader.prepare(["ab cd" * n + f" {m}" for n in range(1, 12) for m in range(7)])
    segments = [segment for text in texts for segment in cut_segments(text, 100, 0)]
    for segment, inputs in zip(segments, reader.read(segments, independent=True), strict=True):
        (alone,) = reader.read([segment], independent=True)
        np.testing.assert_array_equal(alone.states, inputs.states)


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_other_precisions_are_other_trunks_that_agree(
    bert: tuple[Path, TrunkArtifact], precision: str
) -> None:
    folder, whole = bert
    source = load_trunk(str(folder))
    artifact = export_trunk(source, precision)
    assert artifact.manifest.precision == precision
    assert artifact.manifest.source == f"{whole.manifest.source}@{precision}"
    assert artifact.manifest.digest != whole.manifest.digest
    assert export_trunk(source, precision).manifest.digest == artifact.manifest.digest
    assert "cosine 0.9" in artifact.agreement or "cosine 1.0" in artifact.agreement
    runner = TrunkRunner.open(
        artifact.manifest, artifact.files.__getitem__, providers=["CPUExecutionProvider"]
    )
    texts = WordStateReader(runner, max_length=64, stride=16).prepare(["ab cd", "ef" * 20, "x"])
    segments = [segment for text in texts for segment in cut_segments(text, 100, 0)]
    reader = WordStateReader(runner, max_length=64, stride=16)
    for segment, inputs in zip(segments, reader.read(segments), strict=True):
        (alone,) = reader.read([segment])
        if precision == "int8":
            # Scales are those of a run: company must change nothing.
            np.testing.assert_array_equal(alone.states, inputs.states)
        np.testing.assert_allclose(alone.states, inputs.states, atol=0.05)


def test_a_precision_that_loses_too_much_is_refused(
    bert: tuple[Path, TrunkArtifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trunk_export, "_MIN_COSINE", {"int8": 1.1})
    with pytest.raises(TrunkExportError, match="loses too much in int8"):
        export_trunk(load_trunk(str(bert[0])), "int8")


def test_weights_are_not_tuned_in_a_precision_for_serving() -> None:
    with pytest.raises(TrunkSourceError, match=r"Name embedded:all-MiniLM-L6-v2, or"):
        load_trunk("embedded:all-MiniLM-L6-v2@int8")
    assert split_precision("a/b@v1") == ("a/b@v1", "fp32")


def test_an_exported_trunk_trains(tmp_path: Path, bert: tuple[Path, TrunkArtifact]) -> None:
    bert[1].write(tmp_path / "trunk")
    examples = [
        Example(text=f"a {word} b", spans=[(2, 2 + len(word), "X")])
        for word in ("Ada", "Bob", "Eve", "Ned")
    ]
    result = train(
        TrainRequest(
            train=examples * 5,
            dev=examples,
            labels=["X"],
            trunk_folder=tmp_path / "trunk",
            work_dir=tmp_path / "work",
            cache_dir=tmp_path / "cache",
            params=LadderParams(width=8, epochs=30, max_length=64, stride=16, learning_rate=0.01),
            threads=1,
        ),
        lambda _: None,
        lambda: False,
    )
    assert result.parity.passed, result.parity.reason
    assert result.evaluations["dev"].micro.f1 > 0.5


def test_equal_weights_give_an_equal_digest_and_no_paths(
    bert: tuple[Path, TrunkArtifact],
) -> None:
    folder, first = bert
    second = export_trunk(load_trunk(str(folder)))
    assert second.manifest.digest == first.manifest.digest
    for word in (b"site-packages", str(folder).encode(), b"trunk_export"):
        assert word not in first.files["model.onnx"]


def test_an_export_that_differs_is_refused(
    bert: tuple[Path, TrunkArtifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, artifact = bert
    source = load_trunk(str(folder))
    with torch.no_grad():
        source.model.get_parameter("embeddings.word_embeddings.weight").add_(torch.randn(16))
    monkeypatch.setattr(trunk_export, "_export", lambda taps: artifact.files["model.onnx"])
    with pytest.raises(TrunkExportError, match="differs from torch"):
        export_trunk(source)


def test_the_embedded_trunk_is_verified(tmp_path: Path) -> None:
    folder = trunk_source._embedded_folder("all-MiniLM-L6-v2")
    assert (folder / "config.json").is_file()
    damaged = tmp_path / "model.safetensors"
    damaged.write_bytes((folder / "model.safetensors").read_bytes()[:-1])
    with pytest.raises(TrunkSourceError, match="damaged or was exchanged"):
        verify_weights(damaged, trunk_source._EMBEDDED_SHA256)
    with pytest.raises(TrunkSourceError, match="cannot be read"):
        verify_weights(tmp_path / "none", trunk_source._EMBEDDED_SHA256)
    with pytest.raises(TrunkSourceError, match="no embedded trunk"):
        load_trunk("embedded:other")


def test_bad_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrunkSourceError, match="does not exist"):
        load_trunk(str(tmp_path / "none"))
    with pytest.raises(TrunkSourceError, match=r"no config\.json"):
        load_trunk(str(tmp_path))
    folder = save_model("bert", tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(TrunkSourceError, match=r"needs config\.json, model\.safetensors"):
        load_trunk(str(folder))


def test_an_unreachable_hub_is_said_with_alternatives(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **kwargs: object) -> None:
        raise OSError("We couldn't connect to the hub\nlong advice")

    monkeypatch.setattr(trunk_source.AutoConfig, "from_pretrained", unreachable)
    with pytest.raises(TrunkSourceError, match="cannot be reached") as caught:
        load_trunk("some/model")
    assert "embedded:all-MiniLM-L6-v2" in str(caught.value)
    assert "folder" in str(caught.value)
    assert "long advice" not in str(caught.value)
