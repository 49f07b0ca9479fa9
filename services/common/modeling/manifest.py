"""Manifests: what a trunk or an adapter is, as canonical JSON whose digest is its identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from services.common.modeling.documents import (
    FileDigest,
    ManifestError,
    Reader,
    canonical_json,
    sha256_digest,
)

__all__ = [
    "ADAPTER_FILE",
    "TOKENIZER_FILE",
    "TRUNK_FILE",
    "AdapterManifest",
    "Decoding",
    "FileDigest",
    "LadderArchitecture",
    "ManifestError",
    "TrunkManifest",
]

FORMAT_VERSION = 1
TRUNK_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
ADAPTER_FILE = "adapter.safetensors"


@dataclass(frozen=True, kw_only=True)
class TrunkManifest:
    """A frozen encoder as files; its ``digest`` is what adapters name.

    Attributes:
        name: For people, e.g. ``all-MiniLM-L6-v2``.
        source: What it was exported from: ``embedded:<name>``, a hub name, or ``local``.
        architecture: The encoder's family, e.g. ``bert``.
        hidden_size: Width of each tap.
        taps: Number of hidden states that a run gives: layers + 1.
        max_length: Most pieces in one run, special tokens included.
        pad_token_id: What to pad with; some families compute positions from it.
        precision: Number format of the weights, e.g. ``fp32``.
        opset: ONNX opset of the graph.
        files: ``model.onnx`` and ``tokenizer.json``.
    """

    name: str
    source: str
    architecture: str
    hidden_size: int
    taps: int
    max_length: int
    pad_token_id: int
    precision: str
    opset: int
    files: Mapping[str, FileDigest]

    @cached_property
    def digest(self) -> str:
        """``sha256:<hex>`` of ``to_bytes()``."""
        return sha256_digest(self.to_bytes())

    @property
    def tokenizer_digest(self) -> str:
        """Digest of ``tokenizer.json``."""
        return self.files[TOKENIZER_FILE].digest

    def to_bytes(self) -> bytes:
        """Return the canonical JSON."""
        return canonical_json(
            {
                "format_version": FORMAT_VERSION,
                "kind": "trunk",
                "name": self.name,
                "source": self.source,
                "architecture": self.architecture,
                "hidden_size": self.hidden_size,
                "taps": self.taps,
                "max_length": self.max_length,
                "pad_token_id": self.pad_token_id,
                "precision": self.precision,
                "opset": self.opset,
                "files": {name: file.to_document() for name, file in self.files.items()},
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> TrunkManifest:
        """Parse and validate.

        Raises:
            ManifestError: If anything is missing or of the wrong kind.
        """
        reader = _open(data, "trunk")
        files = reader.files("files")
        for name in (TRUNK_FILE, TOKENIZER_FILE):
            if name not in files:
                raise ManifestError(f"the trunk manifest names no file {name}")
        return cls(
            name=reader.text("name"),
            source=reader.text("source"),
            architecture=reader.text("architecture"),
            hidden_size=reader.integer("hidden_size", at_least=1),
            taps=reader.integer("taps", at_least=1),
            max_length=reader.integer("max_length", at_least=4),
            pad_token_id=reader.integer("pad_token_id", at_least=0),
            precision=reader.text("precision"),
            opset=reader.integer("opset", at_least=1),
            files=files,
        )


@dataclass(frozen=True, kw_only=True)
class LadderArchitecture:
    """Shape of a ladder adapter; adapters of equal architecture are stacked in one graph.

    Attributes:
        hidden_size: Width of the trunk's taps.
        width: Width of the running state.
        taps: Which of the trunk's taps are read, in order.
        context: Neighbour words that each rung sees on either side.
        features: Columns of the word features.
        kind: Always ``ladder``.
    """

    hidden_size: int
    width: int
    taps: tuple[int, ...]
    context: int
    features: int
    kind: str = "ladder"

    @property
    def reach(self) -> int:
        """How many words on either side can influence a word's logits."""
        return self.context * len(self.taps)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return name and shape of every tensor of one label."""
        rungs, width = len(self.taps), self.width
        return {
            "tap_weight": (rungs, self.hidden_size, width),
            "tap_bias": (rungs, width),
            "feature_weight": (self.features, width),
            "context_weight": (rungs, (2 * self.context + 1) * width, width),
            "context_bias": (rungs, width),
            "mix_weight": (rungs, width, width),
            "head_weight": (width, 3),
            "head_bias": (3,),
        }


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """How logits become spans: the scheme, and a bias added to the logit of O (outside)."""

    outside_bias: float
    scheme: str = "bio"


@dataclass(frozen=True, kw_only=True)
class AdapterManifest:
    """What was trained for one label; its ``digest`` is its identity.

    Attributes:
        label: The label's name.
        trunk_digest: The trunk whose taps it reads.
        tokenizer_digest: The trunk's tokenizer.
        architecture: Shape of the network.
        decoding: How to read its logits.
        max_length: Window length in pieces, special tokens included, that it was trained with.
        stride: Overlap of windows in pieces.
        metrics: Evaluation by split; numbers only.
        lineage: Where it comes from: snapshot hash, seed, parameters. Only what follows from the
            inputs, so that equal inputs give an equal digest.
        files: ``adapter.safetensors``.
        word_splitter: Version of the word rules.
        featuriser: Version of the word features.
        model_type: What it predicts: ``ner``.
    """

    label: str
    trunk_digest: str
    tokenizer_digest: str
    architecture: LadderArchitecture
    decoding: Decoding
    max_length: int
    stride: int
    files: Mapping[str, FileDigest]
    word_splitter: str
    featuriser: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    model_type: str = "ner"

    @cached_property
    def digest(self) -> str:
        """``sha256:<hex>`` of ``to_bytes()``."""
        return sha256_digest(self.to_bytes())

    @property
    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every tensor in ``adapter.safetensors``."""
        return self.architecture.tensor_shapes()

    def to_bytes(self) -> bytes:
        """Return the canonical JSON."""
        architecture = asdict(self.architecture)
        architecture["taps"] = list(self.architecture.taps)
        return canonical_json(
            {
                "format_version": FORMAT_VERSION,
                "kind": "adapter",
                "label": self.label,
                "model_type": self.model_type,
                "trunk_digest": self.trunk_digest,
                "tokenizer_digest": self.tokenizer_digest,
                "architecture": architecture,
                "decoding": asdict(self.decoding),
                "max_length": self.max_length,
                "stride": self.stride,
                "word_splitter": self.word_splitter,
                "featuriser": self.featuriser,
                "metrics": dict(self.metrics),
                "lineage": dict(self.lineage),
                "tensors": {name: list(shape) for name, shape in self.tensors.items()},
                "files": {name: file.to_document() for name, file in self.files.items()},
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> AdapterManifest:
        """Parse and validate.

        Raises:
            ManifestError: If anything is missing, of the wrong kind or of an unknown version.
        """
        reader = _open(data, "adapter")
        shape = reader.object("architecture")
        if shape.text("kind") != "ladder":
            raise shape.wrong("kind", "'ladder'")
        taps = shape.integers("taps")
        if not taps:
            raise shape.wrong("taps", "a list of at least one tap")
        decoding = reader.object("decoding")
        if decoding.text("scheme") != "bio":
            raise decoding.wrong("scheme", "'bio'")
        files = reader.files("files")
        if set(files) != {ADAPTER_FILE}:
            raise ManifestError(f"the adapter manifest must name exactly one file, {ADAPTER_FILE}")
        manifest = cls(
            label=reader.text("label"),
            model_type=reader.text("model_type"),
            trunk_digest=reader.digest("trunk_digest"),
            tokenizer_digest=reader.digest("tokenizer_digest"),
            architecture=LadderArchitecture(
                hidden_size=shape.integer("hidden_size", at_least=1),
                width=shape.integer("width", at_least=1),
                taps=taps,
                context=shape.integer("context", at_least=0),
                features=shape.integer("features", at_least=0),
            ),
            decoding=Decoding(outside_bias=decoding.number("outside_bias")),
            max_length=reader.integer("max_length", at_least=4),
            stride=reader.integer("stride", at_least=0),
            files=files,
            word_splitter=reader.text("word_splitter"),
            featuriser=reader.text("featuriser"),
            metrics=reader.document("metrics"),
            lineage=reader.document("lineage"),
        )
        stated = reader.document("tensors")
        if stated != {name: list(shape) for name, shape in manifest.tensors.items()}:
            raise ManifestError("the adapter manifest's tensors do not follow its architecture")
        return manifest


def _open(data: bytes, kind: str) -> Reader:
    reader = Reader.parse(data, f"{kind} manifest")
    if reader.integer("format_version", at_least=1) != FORMAT_VERSION:
        raise reader.wrong("format_version", str(FORMAT_VERSION))
    if reader.text("kind") != kind:
        raise reader.wrong("kind", f"'{kind}'")
    return reader
