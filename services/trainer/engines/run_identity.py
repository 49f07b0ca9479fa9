"""What makes two runs the same, and which texts a run is checked on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from services.common.modeling.documents import canonical_json
from services.common.modeling.word_features import FEATURISER
from services.common.modeling.words import WORD_SPLITTER
from services.trainer.engines.interface import Example, TrainRequest

_PARITY_TEXTS = 64


def parity_examples(request: TrainRequest) -> list[Example]:
    """Take examples from every part of the data, spread over its length."""
    examples = [*request.test, *request.dev, *request.train]
    return examples[:: max(len(examples) // _PARITY_TEXTS, 1)][:_PARITY_TEXTS]


def run_digest(request: TrainRequest, trunk_digest: str, engine: str = "ladder") -> str:
    """Return the digest of everything that decides a run, so that no other run is resumed."""
    document = {
        "engine": engine,
        "trunk": trunk_digest,
        "type": [request.model_type, request.control, request.multiple],
        "params": request.params.to_document(),
        "options": dict(request.options),
        "labels": list(request.labels),
        "initial": {
            name: hashlib.sha256(artifact.manifest).hexdigest()
            for name, artifact in request.initial.items()
        },
        "words": WORD_SPLITTER,
        "features": FEATURISER,
        "train": _examples_digest(request.train, request.model_type),
        "dev": _examples_digest(request.dev, request.model_type),
    }
    return hashlib.sha256(canonical_json(document)).hexdigest()


def _examples_digest(examples: Sequence[Example], model_type: str) -> str:
    digest = hashlib.sha256()
    for example in examples:
        text = example.text.encode("utf-8", "surrogatepass")
        part = repr((len(text), _annotations(example, model_type))).encode()
        digest.update(len(part).to_bytes(8, "big") + part + text)
    return digest.hexdigest()


def _annotations(example: Example, model_type: str) -> Sequence[object]:
    """Return what is learned of an example, in one order."""
    match model_type:
        case "classification":
            return sorted(example.choices)
        case "assertion":
            return sorted(example.assertions)
        case _:
            return sorted(example.spans)
