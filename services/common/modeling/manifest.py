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
from services.common.modeling.heads import MARKS, MODEL_TYPES, TAGS, Decoding, Head
from services.common.modeling.trunk_manifest import (
    FORMAT_VERSION,
    TOKENIZER_FILE,
    TRUNK_FILE,
    TrunkManifest,
    open_manifest,
)

__all__ = [
    "ADAPTER_FILE",
    "TOKENIZER_FILE",
    "TRUNK_FILE",
    "AdapterManifest",
    "Decoding",
    "FileDigest",
    "Head",
    "LadderArchitecture",
    "ManifestError",
    "TrunkManifest",
]

ADAPTER_FILE = "adapter.safetensors"


@dataclass(frozen=True, kw_only=True)
class LadderArchitecture:
    """Shape of a ladder adapter; adapters of equal architecture are stacked in one graph.

    Attributes:
        hidden_size: Width of the trunk's taps.
        width: Width of the running state.
        taps: Which of the trunk's taps are read, in order.
        context: Neighbour words that each rung sees on either side.
        features: Columns of the word features.
        head: What it answers.
        classes: Logits of a word (tags: B, I, O), a text or a span.
        kind: Always ``ladder``.
    """

    hidden_size: int
    width: int
    taps: tuple[int, ...]
    context: int
    features: int
    head: Head = Head.TAGS
    classes: int = TAGS
    kind: str = "ladder"

    @property
    def reach(self) -> int:
        """How many words on either side can influence a word's logits."""
        return self.context * len(self.taps)

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return name and shape of every tensor of one label."""
        rungs, width = len(self.taps), self.width
        shapes: dict[str, tuple[int, ...]] = {
            "tap_weight": (rungs, self.hidden_size, width),
            "tap_bias": (rungs, width),
            "feature_weight": (self.features, width),
            "context_weight": (rungs, (2 * self.context + 1) * width, width),
            "context_bias": (rungs, width),
            "mix_weight": (rungs, width, width),
            "head_weight": (width, self.classes),
            "head_bias": (self.classes,),
        }
        if self.head is not Head.TAGS:
            shapes["pool_weight"] = (width, self.classes)
        if self.head is Head.ASSERTION:
            shapes["marker_weight"] = (rungs, MARKS, width)
            shapes["span_weight"] = (width, self.classes)
        return shapes

    def to_document(self) -> dict[str, Any]:
        """Return the JSON form; that of tags names no head, as before there were others."""
        document = asdict(self) | {"taps": list(self.taps)}
        if self.head is Head.TAGS:
            del document["head"], document["classes"]
        return document

    @classmethod
    def read(cls, reader: Reader) -> LadderArchitecture:
        """Read the JSON form.

        Raises:
            ManifestError: If anything is missing or of the wrong kind.
        """
        if reader.text("kind") != "ladder":
            raise reader.wrong("kind", "'ladder'")
        taps = reader.integers("taps")
        if not taps:
            raise reader.wrong("taps", "a list of at least one tap")
        head, classes = Head.TAGS, TAGS
        if reader.has("head"):
            if reader.text("head") not in (Head.CHOICES, Head.ASSERTION):
                raise reader.wrong("head", "'choices' or 'assertion', or be absent")
            head = Head(reader.text("head"))
            classes = reader.integer("classes", at_least=1)
        return cls(
            hidden_size=reader.integer("hidden_size", at_least=1),
            width=reader.integer("width", at_least=1),
            taps=taps,
            context=reader.integer("context", at_least=0),
            features=reader.integer("features", at_least=0),
            head=head,
            classes=classes,
        )


@dataclass(frozen=True, kw_only=True)
class AdapterManifest:
    """What was trained for one label, control or for assertions; ``digest`` is its identity.

    Attributes:
        label: The label's name, the name of the `Choices` control, or ``assertion``.
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
        classes: The control's values, or the statuses, in the order of the logits; empty for NER.
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
    classes: tuple[str, ...] = ()

    @property
    def model_type(self) -> str:
        """``ner``, ``classification`` or ``assertion``."""
        return MODEL_TYPES[self.architecture.head]

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
        return canonical_json(
            {
                "format_version": FORMAT_VERSION,
                "kind": "adapter",
                "label": self.label,
                "model_type": self.model_type,
                "trunk_digest": self.trunk_digest,
                "tokenizer_digest": self.tokenizer_digest,
                "architecture": self.architecture.to_document(),
                "decoding": self.decoding.to_document(),
                "max_length": self.max_length,
                "stride": self.stride,
                "word_splitter": self.word_splitter,
                "featuriser": self.featuriser,
                "metrics": dict(self.metrics),
                "lineage": dict(self.lineage),
                "tensors": {name: list(shape) for name, shape in self.tensors.items()},
                "files": {name: file.to_document() for name, file in self.files.items()},
                # Absent for NER, as before there were other types.
                **({"classes": list(self.classes)} if self.classes else {}),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> AdapterManifest:
        """Parse and validate.

        Raises:
            ManifestError: If anything is missing, of the wrong kind or of an unknown version.
        """
        reader = open_manifest(data, "adapter")
        architecture = LadderArchitecture.read(reader.object("architecture"))
        decoding = Decoding.read(reader.object("decoding"), architecture.head, architecture.classes)
        classes: tuple[str, ...] = ()
        if architecture.head is not Head.TAGS:
            classes = reader.texts("classes")
            if len(set(classes)) != architecture.classes or len(classes) != architecture.classes:
                raise reader.wrong("classes", "one distinct name per class of the architecture")
        if reader.text("model_type") != MODEL_TYPES[architecture.head]:
            raise reader.wrong("model_type", f"'{MODEL_TYPES[architecture.head]}' for this head")
        files = reader.files("files")
        if set(files) != {ADAPTER_FILE}:
            raise ManifestError(f"the adapter manifest must name exactly one file, {ADAPTER_FILE}")
        manifest = cls(
            label=reader.text("label"),
            trunk_digest=reader.digest("trunk_digest"),
            tokenizer_digest=reader.digest("tokenizer_digest"),
            architecture=architecture,
            decoding=decoding,
            max_length=reader.integer("max_length", at_least=4),
            stride=reader.integer("stride", at_least=0),
            files=files,
            word_splitter=reader.text("word_splitter"),
            featuriser=reader.text("featuriser"),
            metrics=reader.document("metrics"),
            lineage=reader.document("lineage"),
            classes=classes,
        )
        stated = reader.document("tensors")
        if stated != {name: list(shape) for name, shape in manifest.tensors.items()}:
            raise ManifestError("the adapter manifest's tensors do not follow its architecture")
        return manifest
