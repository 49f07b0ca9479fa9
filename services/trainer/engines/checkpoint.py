"""Checkpoints of a training run: one safetensors file, replaced as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

CHECKPOINT_FILE = "checkpoint.safetensors"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Everything that a run needs to go on: tensors by name, and a JSON document."""

    tensors: Mapping[str, torch.Tensor]
    document: Mapping[str, Any]


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint durably; a reader sees the old one or the new one, never a part."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CHECKPOINT_FILE
    fresh = path.with_suffix(".new")
    save_file(
        {name: tensor.detach().contiguous() for name, tensor in checkpoint.tensors.items()},
        fresh,
        metadata={"document": json.dumps(checkpoint.document, sort_keys=True)},
    )
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)


def load_checkpoint(folder: Path, run: str) -> Checkpoint | None:
    """Return the checkpoint of this run, or None if there is none that can be used.

    Args:
        folder: The run's folder.
        run: Digest of everything that decides the run; a checkpoint of another run is ignored.
    """
    try:
        with safe_open(folder / CHECKPOINT_FILE, framework="pt") as file:
            document = json.loads(file.metadata()["document"])
            if document.get("run") != run:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError):
        return None
    return Checkpoint(tensors=tensors, document=document)
