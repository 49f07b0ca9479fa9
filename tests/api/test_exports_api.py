"""Exports of model versions: what the folder's own program finds is what the service answers."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import grpc
import onnx
import onnxruntime as ort
import pytest

from services.common.blobs import key_of
from services.common.errors import Reason
from services.common.modeling.manifest import ADAPTER_FILE, TRUNK_FILE, ManifestError
from services.common.modeling.onnx.fused import fuse
from services.inference.bootstrap import build
from services.inference.engine import export_check
from services.inference.exports.onnx_layout import onnx_files
from spanloop import AsyncClient, Endpoints, errors
from spanloop.inference.v1.export_pb2 import EXPORT_LAYOUT_HUGGING_FACE
from spanloop.inference.v1.predict_pb2 import TextPrediction
from tests.support import client_channel, running
from tests.support.exports import content_of, decoding, exported, run_alone
from tests.support.inference import (
    TEXT,
    InferenceClient,
    deploy,
    golden_predictor,
    inference,
    inference_settings,
    publish,
    registry_at,
    tiny_adapter,
    tiny_trunk,
)
from tests.support.registry import refused

PARTY, DATE = tiny_adapter("PARTY"), tiny_adapter("DATE", outside_bias=0.7)
WIDE = tiny_adapter('a | "b"', width=6)
TEXTS = [
    TEXT,
    "",
    " \n ",
    "\u200b",
    "naïve façade 東京 Ltd. 👍🏽 on 3 March\r\n#now @ada it's $1,000.50",
    TEXT * 40,
]


RUN = """
model = decode.ExportedModel(sys.argv[1])
found = [[[s.start, s.end, s.label, s.score] for s in model.predict(text)]
         for text in json.loads(sys.stdin.buffer.read())]
"""


def rows(prediction: TextPrediction) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label) for span in prediction.spans]


async def test_an_exported_folder_answers_as_the_service(tmp_path: Path) -> None:
    async with registry_at(tmp_path) as (registry, address):
        settings = inference_settings(tmp_path, address)
        async with running(settings, build) as server, client_channel(server) as channel:
            client = InferenceClient(channel)
            version = await deploy(registry, "p", [PARTY, DATE, WIDE])
            await client.ready(1)
            served = (await client.predict(TEXTS)).predictions
            assert served[-1].windows > 10
            folder = tmp_path / "exports" / "mine"
            endpoints = Endpoints(inference=server.address)
            async with AsyncClient(endpoints=endpoints, token=server.token) as sdk:
                names = await sdk.export_model(version, folder)
                with pytest.raises(FileExistsError):
                    await sdk.export_model(version, folder)
                with pytest.raises(errors.NotFound):
                    await sdk.export_model("projects/p/modelVersions/none", tmp_path / "none")
                assert not (tmp_path / "none").exists()
            assert {path.name for path in folder.parent.iterdir()} == {"mine"}
            again = await exported(client, version)
            assert {name: (folder / name).read_bytes() for name in names} == again
    assert {"model.onnx", "tokenizer.json", "config.json", "decode.py", "README.md"} < set(names)
    told = await asyncio.to_thread(run_alone, folder, TEXTS, decoding(RUN))
    assert told["heavy"] == []
    assert sum(map(len, told["found"])) > 100
    for mine, theirs in zip(served, told["found"], strict=True):
        assert rows(mine) == [tuple(span[:3]) for span in theirs]
        scores = [span.score for span in mine.spans]
        assert scores == pytest.approx([span[3] for span in theirs], abs=1e-3)
    config = json.loads(again["config.json"])
    assert config["labels"] == ["DATE", "PARTY", 'a | "b"']
    assert config["adapters"]["DATE"] == DATE.manifest.digest
    assert config["model_version"] == version
    card = again["README.md"].decode()
    assert card.startswith("---\nlibrary_name: onnx\n")
    assert '| "a \\| \\"b\\"" |' in card
    for name, source in again.items():
        if name.endswith(".py"):
            assert b"services." not in source
    # The example as the README tells to run it.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "decode.py", TEXT), cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert [[span["start"], span["end"], span["label"]] for span in json.loads(printed)] == [
        list(row) for row in rows(served[0])
    ]


async def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    async with (
        registry_at(tmp_path) as (registry, address),
        inference(tmp_path, address) as client,
    ):
        unverified = await publish(registry, "p", [PARTY], verify=False)
        with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.MODEL_VERSION_NOT_READY):
            await exported(client, unverified)
        version = await publish(registry, "p", [DATE])
        with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, field="name"):
            await exported(client, "p/1")
        with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, field="layout"):
            await exported(client, version, layout=77)
        with refused(grpc.StatusCode.FAILED_PRECONDITION, Reason.STATE_CONFLICT):
            await exported(client, version, layout=EXPORT_LAYOUT_HUGGING_FACE)
        digest = DATE.manifest.files[ADAPTER_FILE].digest
        stored = tmp_path / "registry" / "artifacts" / key_of(digest)
        good = stored.read_bytes()
        stored.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        with refused(grpc.StatusCode.DATA_LOSS, Reason.ARTIFACT_CORRUPT):
            await exported(client, version)
        stored.write_bytes(good)
        assert "model.onnx" in await exported(client, version)


def test_an_export_that_answers_otherwise_is_not_given_away() -> None:
    content = content_of(PARTY, DATE)
    files = onnx_files(content)
    export_check.check_export(content, files)
    others: Mapping[str, bytes] = {
        **files,
        "model.onnx": onnx_files(content_of(tiny_adapter("PARTY", seed=5), DATE))["model.onnx"],
    }
    with pytest.raises(ManifestError, match="does not answer as it is served"):
        export_check.check_export(content, others)
    # Of quantised trunks most spans must be the same.
    quantised = content_of(PARTY, DATE, precision="int8")
    export_check.check_export(quantised, onnx_files(quantised))
    with pytest.raises(ManifestError, match="does not answer as it is served"):
        export_check.check_export(quantised, others)


def test_a_trunk_that_cannot_be_joined_is_refused() -> None:
    content = content_of(PARTY)
    other = tiny_trunk(1).manifest
    with pytest.raises(ManifestError, match="belongs to another trunk"):
        fuse(other, content.trunk_model, content.adapters)


def test_a_trunk_of_half_precision_is_joined() -> None:
    tiny = tiny_trunk()
    model = onnx.load_from_string(tiny.files[TRUNK_FILE])
    model.graph.node.append(
        onnx.helper.make_node("Cast", ["taps"], ["half"], to=onnx.TensorProto.FLOAT16)
    )
    model.graph.output[0].name = "half"
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    found = fuse(tiny.manifest, model.SerializeToString(), [PARTY.load()])
    session = ort.InferenceSession(found.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.get_outputs()[0].type == "tensor(float)"


def test_the_golden_path_reads_as_the_export(tmp_path: Path) -> None:
    """Adapters of several architectures stand in the order of their labels."""
    adapters = [WIDE, PARTY, tiny_adapter("C", width=6), DATE]
    content = content_of(*adapters)
    for name, data in onnx_files(content).items():
        (tmp_path / name).write_bytes(data)
    wanted = golden_predictor(adapters).predict(TEXTS)
    told = run_alone(tmp_path, TEXTS, decoding(RUN))
    assert [[[s.start, s.end, s.label] for s in text] for text in wanted] == [
        [span[:3] for span in text] for text in told["found"]
    ]
