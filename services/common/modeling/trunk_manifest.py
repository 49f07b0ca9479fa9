"""The manifest of a trunk, and what all manifests share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from services.common.modeling.documents import (
    FileDigest,
    ManifestError,
    Reader,
    canonical_json,
    sha256_digest,
)

FORMAT_VERSION = 1
TRUNK_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"


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
        reader = open_manifest(data, "trunk")
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


def open_manifest(data: bytes, kind: str) -> Reader:
    """Return a reader of a manifest of this format version and kind.

    Raises:
        ManifestError: If it is none.
    """
    reader = Reader.parse(data, f"{kind} manifest")
    if reader.integer("format_version", at_least=1) != FORMAT_VERSION:
        raise reader.wrong("format_version", str(FORMAT_VERSION))
    if reader.text("kind") != kind:
        raise reader.wrong("kind", f"'{kind}'")
    return reader
