"""What a prediction says beside its content: how sure the models were, and where the text lies.

The embedding is kept as it came, little-endian 16-bit floats: half the size of what is computed
with, and the same on every machine.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.common.errors import invalid_field
from services.common.store.port import Document
from services.common.validate import check_range

MAX_EMBEDDING_BYTES = 8_192
# Rounding to 16 bits moves the length of a unit vector by less than a thousandth.
_LENGTH_SLACK = 0.01
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedding:
    """The place of a text among others: a unit vector of one trunk.

    Attributes:
        data: Little-endian 16-bit floats.
        trunk_digest: The trunk; embeddings of different trunks have nothing to do with each other.
    """

    data: bytes = field(repr=False)
    trunk_digest: str

    def vector(self) -> NDArray[np.float16]:
        """Return the floats, read only."""
        return np.frombuffer(self.data, dtype="<f2")


@dataclass(frozen=True, kw_only=True, slots=True)
class Signals:
    """How sure models were of a text, each from 0, sure, to 1; `embedding` is None if unknown."""

    least_confidence: float
    margin: float
    entropy: float
    embedding: Embedding | None = None


def checked_signals(signals: Signals | None, field: str) -> Signals | None:
    """Return signals that can be ranked by, or raise FIELD_INVALID."""
    if signals is None:
        return None
    for name in ("least_confidence", "margin", "entropy"):
        check_range(float(getattr(signals, name)), f"{field}.{name}", 0.0, 1.0)
    if signals.embedding is not None:
        _check_embedding(signals.embedding, field)
    return signals


def _check_embedding(embedding: Embedding, field: str) -> None:
    data = embedding.data
    if not _DIGEST.fullmatch(embedding.trunk_digest):
        raise invalid_field(
            f"{field}.trunk_digest",
            "must be `sha256:` and 64 hexadecimal digits: an embedding is of one trunk.",
        )
    if not data:
        raise invalid_field(f"{field}.embedding", "is required with a trunk_digest.")
    if len(data) % 2 or len(data) > MAX_EMBEDDING_BYTES:
        raise invalid_field(
            f"{field}.embedding",
            f"must be 16-bit floats in at most {MAX_EMBEDDING_BYTES} bytes, not {len(data)} bytes.",
        )
    length = float(np.linalg.norm(embedding.vector().astype(np.float32)))
    # NaN and infinity are in no range.
    if not abs(length - 1.0) <= _LENGTH_SLACK:
        raise invalid_field(f"{field}.embedding", "must have unit length.")


def signals_document(signals: Signals) -> Document:
    """Return signals as a document holds them, which takes no bytes."""
    body: Document = {
        "least_confidence": signals.least_confidence,
        "margin": signals.margin,
        "entropy": signals.entropy,
    }
    if signals.embedding is not None:
        body["embedding"] = base64.b64encode(signals.embedding.data).decode("ascii")
        body["trunk"] = signals.embedding.trunk_digest
    return body


def to_signals(body: Document) -> Signals:
    """Read signals from the object that holds them."""
    data = body.get("embedding")
    return Signals(
        least_confidence=float(body["least_confidence"]),
        margin=float(body["margin"]),
        entropy=float(body["entropy"]),
        embedding=None
        if data is None
        else Embedding(data=base64.b64decode(data), trunk_digest=body["trunk"]),
    )
