"""What a training script is given: its job, the examples, and what the trunk says about them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common.modeling.manifest import TrunkManifest
from services.trainer.engines.dataset import Split
from services.trainer.engines.interface import Example, TrainRequest
from services.trainer.engines.task import Task

CONTRACT = 1
"""Version of the contract with scripts: docs/training-scripts.md."""

_SPLITS = ("train", "dev")


def prepare_folder(folder: Path) -> None:
    """Make an empty working directory: what an earlier attempt left would be taken for results."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("dataset", "artifacts", "tmp"):
        (folder / name).mkdir(parents=True)


def write_dataset(
    folder: Path,
    request: TrainRequest,
    task: Task,
    manifest: TrunkManifest,
    splits: Mapping[str, Split],
) -> None:
    """Write `job.json` and the examples of these splits."""
    document = {
        "contract": CONTRACT,
        "model_type": request.model_type,
        "control": request.control,
        "multiple": request.multiple,
        "labels": list(request.labels),
        "adapters": list(task.names),
        "classes": list(task.classes),
        "seed": request.params.seed,
        "threads": request.threads,
        "parameters": request.params.to_document(),
        "options": dict(request.options),
        "trunk": {
            "folder": str(request.trunk_folder),
            "digest": manifest.digest,
            "hidden_size": manifest.hidden_size,
            "taps": manifest.taps,
            "max_length": manifest.max_length,
            "pad_token_id": manifest.pad_token_id,
        },
    }
    _write_json(folder / "job.json", document)
    for name in _SPLITS:
        examples = splits[name].examples if name in splits else ()
        lines = (json.dumps(_example(example)) for example in examples)
        text = "".join(f"{line}\n" for line in lines)
        (folder / "dataset" / f"{name}.jsonl").write_text(text, encoding="utf-8")


def write_arrays(folder: Path, splits: Mapping[str, Split]) -> None:
    """Write, for each split, its words and what the trunk says about them."""
    for name, split in splits.items():
        home = folder / "dataset"
        words = [word for text in split.texts for word in text.words]
        arrays: dict[str, NDArray[Any]] = {
            "offsets": split.offsets,
            "words": np.asarray(words, dtype=np.int64).reshape(-1, 2),
            "features": split.features,
            "present": split.present,
            "tags": split.tags,
        }
        for kind, array in arrays.items():
            np.save(home / f"{name}.{kind}.npy", array)
        # In pieces: the states of a large split do not fit into memory.
        states = np.lib.format.open_memmap(
            home / f"{name}.states.npy", mode="w+", dtype=np.float16, shape=split.states.shape
        )
        for start in range(0, split.words, 4096):
            states[start : start + 4096] = split.states[start : min(start + 4096, split.words)]
        states.flush()


def _example(example: Example) -> dict[str, Any]:
    return {
        "text": example.text,
        "spans": [[start, end, label] for start, end, label in example.spans],
        "choices": list(example.choices),
        "assertions": [[start, end, status] for start, end, status in example.assertions],
    }


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")
