"""The export in Hugging Face's layout: transformers finds what is served."""

from __future__ import annotations

import copy
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from services.common.modeling.adapter import load_adapter
from services.common.modeling.manifest import (
    TRUNK_FILE,
    ManifestError,
    TrunkManifest,
)
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.onnx.weights import WEIGHTS_FILE, TorchTwin, read_weights
from services.common.modeling.predictor import TextPredictor
from services.common.modeling.states import WordStateReader
from services.inference.engine.export_check import checked_onnx_files
from services.inference.exports.content import ExportContent
from services.inference.exports.hugging_face_layout import hugging_face_files
from services.trainer.engines.trunk_export import TrunkArtifact, export_trunk
from services.trainer.engines.trunk_source import TrunkSource, load_trunk
from services.trainer.engines.trunk_twin import with_twin
from tests.api.test_exports_api import TEXTS
from tests.support.exports import ALONE, run_alone
from tests.unit.tiny_encoder import save_model
from tests.unit.tiny_trunk import adapter_bytes

CPU = ["CPUExecutionProvider"]
RUN = (
    ALONE
    + """
import warnings
warnings.simplefilter("ignore")
from transformers import pipeline
from transformers.utils import logging
logging.set_verbosity_error(); logging.disable_progress_bar()
pipe = pipeline("token-classification", model=sys.argv[1], trust_remote_code=True)
texts = json.loads(sys.stdin.buffer.read())
found = [[[s["start"], s["end"], s["entity_group"], s["score"], s["word"]] for s in pipe(text)]
         for text in texts]
if "services" in sys.modules or "spanloop" in sys.modules:
    raise SystemExit("something of Spanloop was imported")
print(json.dumps({"found": found, "model": type(pipe.model).__name__}))
"""
)


@cache
def tuned(family: str) -> tuple[TrunkSource, TrunkArtifact]:
    """Return a tiny encoder whose weights all differ, and its export with its twin."""
    with tempfile.TemporaryDirectory() as folder:
        source = load_trunk(str(save_model(family, Path(folder))))
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in source.model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=draw))
    artifact, missing = with_twin(export_trunk(source), source)
    assert missing == []
    assert tempfile.gettempdir() not in artifact.files[WEIGHTS_FILE].decode()
    return source, artifact


def content_of(artifact: TrunkArtifact) -> ExportContent:
    manifest = artifact.manifest
    adapters = [
        load_adapter(*adapter_bytes("PARTY", manifest, outside_bias=0.5)),
        load_adapter(*adapter_bytes("DATE", manifest, taps=(manifest.taps - 1,), context=0)),
    ]
    return ExportContent(
        version="projects/p/modelVersions/ner_p_v1",
        trunk=manifest,
        files=artifact.files,
        adapters=adapters,
    )


def served(content: ExportContent, texts: list[str]) -> list[list[tuple[int, int, str, float]]]:
    runner = TrunkRunner.open(content.trunk, content.files.__getitem__, providers=CPU, threads=1)
    bank = Bank.stack(BankRuntime(content.trunk, providers=CPU, threads=1), content.adapters)
    reader = WordStateReader(runner, max_length=content.max_length, stride=content.stride)
    return [
        [(span.start, span.end, span.label, span.score) for span in text]
        for text in TextPredictor(reader, bank).predict(texts)
    ]


@pytest.mark.parametrize("family", ["bert", "deberta-v2", "modernbert"])
def test_every_weight_is_found_in_the_graph(family: str) -> None:
    source, artifact = tuned(family)
    twin = TorchTwin.from_bytes(artifact.files[WEIGHTS_FILE])
    assert TrunkManifest.from_bytes(artifact.manifest.to_bytes()) == artifact.manifest
    found = read_weights(artifact.files[TRUNK_FILE], twin.places)
    for name, tensor in source.model.state_dict().items():
        if not name.startswith("pooler."):
            assert (found[name] == tensor.numpy()).all(), name


@pytest.mark.parametrize("family", ["bert", "modernbert"])
def test_transformers_finds_what_is_served(
    tmp_path: Path, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, artifact = tuned(family)
    content = content_of(artifact)
    folder = tmp_path / "export"
    folder.mkdir()
    for name, data in hugging_face_files(content).items():
        (folder / name).write_bytes(data)
    # Code of a folder is copied into a cache before it is imported.
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told = run_alone(folder, TEXTS, RUN)
    assert told["model"] == "SpanloopForTokenClassification"
    wanted = served(content, TEXTS)
    assert sum(map(len, wanted)) > 20
    for text, mine, theirs in zip(TEXTS, wanted, told["found"], strict=True):
        assert [span[:3] for span in mine] == [tuple(span[:3]) for span in theirs]
        assert [span[3] for span in mine] == pytest.approx([s[3] for s in theirs], abs=1e-3)
        assert [text[start:end] for start, end, *_ in theirs] == [span[4] for span in theirs]
    # The same version for onnxruntime.
    assert "model.onnx" in checked_onnx_files(content)


def test_a_graph_that_lacks_a_weight_has_no_twin() -> None:
    source, artifact = tuned("bert")
    model = copy.deepcopy(source.model)
    with torch.no_grad():
        model.get_parameter("encoder.layer.0.output.dense.weight").add_(1.0)
    plain = replace(
        artifact,
        files={name: data for name, data in artifact.files.items() if name != WEIGHTS_FILE},
    )
    assert with_twin(plain, replace(source, model=model)) == (
        plain,
        ["encoder.layer.0.output.dense.weight"],
    )


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"config":{},"tokenizer":{},"weights":[1]}'])
def test_a_damaged_twin_is_refused(data: bytes) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        TorchTwin.from_bytes(data)


def test_a_twin_of_another_graph_is_refused() -> None:
    _, artifact = tuned("bert")
    with pytest.raises(ManifestError, match="lacks nowhere, which is to be x"):
        read_weights(artifact.files[TRUNK_FILE], {"x": ("nowhere", False)})
