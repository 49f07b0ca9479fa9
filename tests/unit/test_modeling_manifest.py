from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save

from services.common.modeling.adapter import load_adapter
from services.common.modeling.manifest import AdapterManifest, ManifestError, TrunkManifest
from tests.unit.tiny_trunk import adapter_bytes, trunk_files


def test_trunk_manifest_round_trip_and_identity() -> None:
    manifest, files = trunk_files()
    data = manifest.to_bytes()
    again = TrunkManifest.from_bytes(data)
    assert again == manifest
    assert again.digest == manifest.digest
    assert again.to_bytes() == data
    assert b" " not in data
    assert manifest.tokenizer_digest == manifest.files["tokenizer.json"].digest
    assert len(files["model.onnx"]) == manifest.files["model.onnx"].size


def test_adapter_manifest_round_trip() -> None:
    manifest, _ = trunk_files()
    data, _ = adapter_bytes("PARTY ü", manifest, outside_bias=-1.25)
    again = AdapterManifest.from_bytes(data)
    assert again.to_bytes() == data
    assert again.label == "PARTY ü"
    assert again.decoding.outside_bias == -1.25
    assert again.digest.startswith("sha256:")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "format_version"),
        ({"kind": "trunk"}, "kind"),
        ({"label": ""}, "label"),
        ({"trunk_digest": "abc"}, "trunk_digest"),
        ({"max_length": "32"}, "max_length"),
        ({"stride": True}, "stride"),
        ({"decoding": {"scheme": "bio", "outside_bias": "x"}}, "outside_bias"),
        ({"decoding": []}, "decoding"),
        ({"files": {}}, "exactly one file"),
        ({"tensors": {}}, "tensors"),
        ({"metrics": None}, "metrics"),
    ],
)
def test_refuses_wrong_manifests(change: dict[str, object], message: str) -> None:
    manifest, _ = trunk_files()
    document = json.loads(adapter_bytes("A", manifest)[0])
    with pytest.raises(ManifestError, match=message):
        AdapterManifest.from_bytes(json.dumps(document | change).encode())


@pytest.mark.parametrize("data", [b"", b"[1]", b"\xff", b"{" * 5000])
def test_refuses_what_is_no_document(data: bytes) -> None:
    with pytest.raises(ManifestError):
        AdapterManifest.from_bytes(data)
    with pytest.raises(ManifestError):
        TrunkManifest.from_bytes(data)


def test_loads_what_was_packed() -> None:
    manifest, _ = trunk_files()
    weights = load_adapter(*adapter_bytes("A", manifest))
    assert weights.label == "A"
    assert {k: v.shape for k, v in weights.tensors.items()} == weights.manifest.tensors


def test_refuses_flipped_truncated_and_foreign_weights() -> None:
    manifest, _ = trunk_files()
    data, weights = adapter_bytes("A", manifest)
    flipped = bytearray(weights)
    flipped[-1] ^= 1
    for bad in (bytes(flipped), weights[:-1], b""):
        with pytest.raises(ManifestError, match="'A'"):
            load_adapter(data, bad)


@pytest.mark.parametrize("problem", ["nan", "shape", "dtype", "missing", "words"])
def test_refuses_weights_that_the_digest_cannot_catch(problem: str) -> None:
    from services.common.modeling.manifest import FileDigest

    manifest, _ = trunk_files()
    data, weights = adapter_bytes("A", manifest)
    tensors = dict(load_adapter(data, weights).tensors)
    document = json.loads(data)
    match problem:
        case "nan":
            tensors["head_bias"] = np.asarray([0, np.nan, 0], np.float32)
        case "shape":
            tensors["head_bias"] = np.zeros(4, np.float32)
        case "dtype":
            tensors["head_bias"] = np.zeros(3, np.float64)
        case "missing":
            del tensors["head_bias"]
        case "words":
            document["word_splitter"] = "words-v0"
    packed = save(tensors)
    document["files"] = {"adapter.safetensors": FileDigest.of(packed).to_document()}
    with pytest.raises(ManifestError, match="'A'"):
        load_adapter(json.dumps(document).encode(), packed)
