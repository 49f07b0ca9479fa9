"""What makes two runs the same, and which texts a run is checked on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from services.common.modeling.documents import canonical_json
from services.common.modeling.word_features import FEATURISER
from services.common.modeling.words import WORD_SPLITTER
from services.trainer.engines.interface import Example, TrainRequest

_PARITY_TEXTS = 64


def parity_texts(request: TrainRequest) -> list[str]:
    """Take texts from every part of the data, spread over its length."""
    texts = [example.text for example in (*request.test, *request.dev, *request.train)]
    return texts[:: max(len(texts) // _PARITY_TEXTS, 1)][:_PARITY_TEXTS]


def run_digest(request: TrainRequest, trunk_digest: str) -> str:
    """Return the digest of everything that decides a run, so that no other run is resumed."""
    document = {
        "trunk": trunk_digest,
        "params": request.params.to_document(),
        "labels": list(request.labels),
        "words": WORD_SPLITTER,
        "features": FEATURISER,
        "train": _examples_digest(request.train),
        "dev": _examples_digest(request.dev),
    }
    return hashlib.sha256(canonical_json(document)).hexdigest()


def _examples_digest(examples: Sequence[Example]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        spans = sorted(example.spans)
        text = example.text.encode("utf-8", "surrogatepass")
        part = repr((len(text), spans)).encode()
        digest.update(len(part).to_bytes(8, "big") + part + text)
    return digest.hexdigest()
