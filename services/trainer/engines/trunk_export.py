"""Exports an encoder to the ONNX artifact that training and serving run."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from services.common.modeling.manifest import (
    TOKENIZER_FILE,
    TRUNK_FILE,
    FileDigest,
    TrunkManifest,
)
from services.common.modeling.onnx.precision import to_fp16, to_int8
from services.common.modeling.onnx.trunk import MANIFEST_FILE, TrunkRunner
from services.trainer.engines.interface import EngineError
from services.trainer.engines.trunk_source import TrunkSource

OPSET = 20
PARITY_LIMIT = 1e-3
"""Largest difference of any tap value between torch and onnxruntime."""

_MAKERS: Mapping[str, Callable[[bytes], bytes]] = {"int8": to_int8, "fp16": to_fp16}
# Smallest mean cosine, of any tap, between the states of a precision and those of fp32. all-MiniLM
# has 0.988 with 8 bits, and 0.95 with one scale per matrix, which costs labels their F1.
_MIN_COSINE = {"int8": 0.97, "fp16": 0.999}

_PARITY_TEXTS = (
    "The Supplier shall deliver the Goods to Acme Ltd. in Rotterdam by 31 March 2024.",
    "@user It's GREAT... see https://example.org/a?b=c #now 😀",
    "Şişli'de 3,50 € ödedi; naïve façade – 東京 и Москва.",
    "a",
)
_MAX_LENGTH_FALLBACK = 512


class TrunkExportError(EngineError):
    """The encoder cannot be exported, or its export does not compute the same."""


@dataclass(frozen=True, kw_only=True)
class TrunkArtifact:
    """An exported trunk.

    Attributes:
        manifest: Its manifest.
        files: The bytes of its files by name.
        agreement: How well it computes what the encoder does, for a log.
    """

    manifest: TrunkManifest
    files: dict[str, bytes]
    agreement: str

    def write(self, folder: Path) -> None:
        """Write ``manifest.json`` and the files; the manifest last, so it marks a whole trunk."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (folder / name).write_bytes(data)
        (folder / MANIFEST_FILE).write_bytes(self.manifest.to_bytes())


class TapModel(torch.nn.Module):
    """The encoder with all hidden states, layer-normed without learned scale, as one output."""

    def __init__(self, model: torch.nn.Module, hidden_size: int) -> None:
        """Wrap an encoder."""
        super().__init__()
        self.model = model
        self.hidden_size = hidden_size

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the states of a batch of windows, [taps, windows, length, hidden_size]."""
        states = self.model(
            input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True
        ).hidden_states
        size = (self.hidden_size,)
        return torch.stack([torch.nn.functional.layer_norm(state, size) for state in states])


def export_trunk(source: TrunkSource, precision: str = "fp32") -> TrunkArtifact:
    """Export an encoder to ONNX, with dynamic batch and length, and check it.

    Equal weights give equal bytes with the same library versions, so the digest names the trunk.

    Args:
        source: The encoder.
        precision: ``fp32``, or one of ``PRECISIONS``.

    Raises:
        TrunkExportError: If the family cannot be exported, if torch and onnxruntime differ by more
            than ``PARITY_LIMIT`` on random and real texts, or if another precision is too far from
            it.
    """
    whole = _whole(source)
    return whole if precision == "fp32" else convert_trunk(whole, precision)


def _whole(source: TrunkSource) -> TrunkArtifact:
    """Return the trunk in fp32."""
    taps = TapModel(source.model, int(source.config.hidden_size)).eval()
    try:
        model_bytes = _export(taps)
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise TrunkExportError(
            f"the trunk {source.name} ({source.architecture}) cannot be exported to ONNX"
        ) from error
    tokenizer_bytes = _tokenizer_json(source)
    files = {TRUNK_FILE: model_bytes, TOKENIZER_FILE: tokenizer_bytes}
    config = source.config
    pad = source.tokenizer.pad_token_id
    manifest = TrunkManifest(
        name=source.name,
        source=source.source,
        architecture=source.architecture,
        hidden_size=taps.hidden_size,
        taps=int(config.num_hidden_layers) + 1,
        max_length=_max_length(source),
        pad_token_id=0 if pad is None else int(pad),
        precision="fp32",
        opset=OPSET,
        files={name: FileDigest.of(data) for name, data in files.items()},
    )
    runner = TrunkRunner.open(manifest, files.__getitem__, providers=["CPUExecutionProvider"])
    difference = _parity(taps, runner, int(config.vocab_size))
    if not difference <= PARITY_LIMIT:
        raise TrunkExportError(
            f"the ONNX export of {source.name} differs from torch by {difference:.2g}, more than "
            f"{PARITY_LIMIT:g}"
        )
    return TrunkArtifact(
        manifest=manifest, files=files, agreement=f"differs from torch by {difference:.1e}"
    )


def convert_trunk(whole: TrunkArtifact, precision: str) -> TrunkArtifact:
    """Return a trunk in another precision than fp32, and check it against that.

    Args:
        whole: In fp32.
        precision: One of ``PRECISIONS``.

    Raises:
        TrunkExportError: Its states are too far from those of fp32.
    """
    runner = TrunkRunner.open(
        whole.manifest, whole.files.__getitem__, providers=["CPUExecutionProvider"]
    )
    files = whole.files | {TRUNK_FILE: _MAKERS[precision](whole.files[TRUNK_FILE])}
    manifest = replace(
        whole.manifest,
        source=f"{whole.manifest.source}@{precision}",
        precision=precision,
        files={name: FileDigest.of(data) for name, data in files.items()},
    )
    other = TrunkRunner.open(manifest, files.__getitem__, providers=["CPUExecutionProvider"])
    cosine = _cosine(runner, other)
    if not cosine >= _MIN_COSINE[precision]:
        raise TrunkExportError(
            f"{manifest.name} loses too much in {precision}: its states have a cosine of "
            f"{cosine:.3f} to those of fp32, less than {_MIN_COSINE[precision]}; name it without "
            "a precision"
        )
    return TrunkArtifact(
        manifest=manifest, files=files, agreement=f"cosine {cosine:.4f} to the states of fp32"
    )


def _cosine(runner: TrunkRunner, other: TrunkRunner) -> float:
    """Return the smallest mean cosine, of any tap, between two trunks' states of real texts."""
    found = []
    for row in chain.from_iterable(_real(runner)):
        ids = np.asarray([row], dtype=np.int64)
        one, two = (trunk.run(ids, np.ones_like(ids))[:, 0] for trunk in (runner, other))
        norms = np.linalg.norm(one, axis=-1) * np.linalg.norm(two, axis=-1)
        found.append((one * two).sum(axis=-1) / norms)
    return float(np.concatenate(found, axis=1).mean(axis=1).min())


def _export(taps: TapModel) -> bytes:
    ids = torch.full((2, 9), 5, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=512)
    with warnings.catch_warnings(), _quiet("torch.onnx"), torch.inference_mode():
        # The exporter warns about its own internals; parity is checked below instead.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            taps,
            (ids, mask),
            input_names=["input_ids", "attention_mask"],
            output_names=["taps"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=({0: batch, 1: length}, {0: batch, 1: length}),
            verbose=False,
        )
    if program is None:
        raise TrunkExportError("the exporter returned no program")
    model = program.model_proto
    _strip(model)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _strip(model: onnx.ModelProto) -> None:
    """Drop stack traces and paths of the exporting machine: the bytes name the trunk."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    model.doc_string = model.graph.doc_string = ""
    for node in model.graph.node:
        _clear(node)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        _clear(value)
    for tensor in model.graph.initializer:
        _clear(tensor)
    for function in model.functions:
        _clear(function)


def _clear(
    item: onnx.NodeProto | onnx.ValueInfoProto | onnx.TensorProto | onnx.FunctionProto,
) -> None:
    del item.metadata_props[:]
    item.doc_string = ""


def _tokenizer_json(source: TrunkSource) -> bytes:
    tokenizer = source.tokenizer.backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return str(tokenizer.to_str()).encode()


def _max_length(source: TrunkSource) -> int:
    """Return how many pieces the encoder can see, special tokens included."""
    positions = getattr(source.config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return _MAX_LENGTH_FALLBACK
    table = getattr(getattr(source.model, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    # RoBERTa and its kin count positions from padding_idx + 1.
    return positions if padding is None else positions - padding - 1


def _parity(taps: TapModel, runner: TrunkRunner, vocabulary: int) -> float:
    """Return the largest difference between torch and onnxruntime over random and real texts."""
    return max(
        _difference(taps, runner, ids) for ids in (*_random_ids(runner, vocabulary), *_real(runner))
    )


def _random_ids(runner: TrunkRunner, vocabulary: int) -> Iterator[list[list[int]]]:
    draw = np.random.default_rng(0)
    longest = runner.manifest.max_length
    for lengths in ((1,), (7, 3, 5), (min(64, longest), min(40, longest)), (min(longest, 200),)):
        yield [draw.integers(0, vocabulary, length).tolist() for length in lengths]


def _real(runner: TrunkRunner) -> Iterator[list[list[int]]]:
    tokenizer = runner.tokenizer
    room = runner.manifest.max_length - tokenizer.special_count
    encoded = tokenizer.encode_many(_PARITY_TEXTS)
    yield [[*tokenizer.prefix, *item.ids[:room].tolist(), *tokenizer.suffix] for item in encoded]


def _difference(taps: TapModel, runner: TrunkRunner, rows: list[list[int]]) -> float:
    longest = max(len(row) for row in rows)
    pad = runner.manifest.pad_token_id
    ids = np.full((len(rows), longest), pad, dtype=np.int64)
    mask = np.zeros_like(ids)
    for index, row in enumerate(rows):
        # A pad id in the middle of a text would shift the positions of some families.
        ids[index, : len(row)] = [pad + 1 if value == pad else value for value in row]
        mask[index, : len(row)] = 1
    found = runner.run(ids, mask)
    with torch.inference_mode():
        wanted = taps(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
    difference: NDArray[np.float32] = np.abs(found - wanted)[:, mask.astype(bool)]
    return float(difference.max()) if np.isfinite(difference).all() else float("inf")


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Keep a library's advice out of our logs while it works."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
