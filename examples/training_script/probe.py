"""A training script: a logistic probe per label, fitted with numpy alone.

The trunk's last states are projected onto their principal components and normed, and a logistic
regression over B, I and O is fitted on them. That is a ladder with a single rung whose inner
products are zero, so Spanloop can serve it. docs/training-scripts.md has the contract.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

WIDTH = 32
STEPS = 300
STEP_SIZE = 0.5
DECAY = 1e-4
NORM_EPSILON = 1e-5

Array = NDArray[np.float32]


def components(states: Array) -> tuple[Array, Array]:
    """Return a projection onto the main components of some states, and what centres it."""
    mean = states.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(states - mean, rowvar=False))
    projection = np.ascontiguousarray(vectors[:, ::-1][:, :WIDTH], dtype=np.float32)
    return projection, (-mean @ projection).astype(np.float32)


def normed(state: Array) -> Array:
    """Norm each row, as the adapter does below its head."""
    centred = state - state.mean(axis=1, keepdims=True)
    spread: Array = np.sqrt((centred**2).mean(axis=1, keepdims=True) + NORM_EPSILON)
    result: Array = centred / spread
    return result


def fit(inputs: Array, tags: NDArray[np.int8]) -> tuple[Array, Array]:
    """Fit a logistic regression by gradient descent with momentum."""
    weight = np.zeros((inputs.shape[1], 3), dtype=np.float32)
    bias = np.zeros(3, dtype=np.float32)
    wanted = np.eye(3, dtype=np.float32)[tags]
    # Few words begin a span: each tag counts alike, up to the root of its share.
    share = np.sqrt(wanted.mean(axis=0) + 1e-3)
    counts = (wanted / share).sum(axis=1, keepdims=True)
    moved = [np.zeros_like(weight), np.zeros_like(bias)]
    for _ in range(STEPS):
        logits = inputs @ weight + bias
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        error = (chances - wanted) * counts / counts.sum()
        for old, gradient in zip(moved, (inputs.T @ error, error.sum(axis=0)), strict=True):
            old *= 0.9
            old -= STEP_SIZE * gradient
        weight += moved[0] - STEP_SIZE * DECAY * weight
        bias += moved[1]
    return weight, bias


def main() -> None:
    """Read what is given, and write an adapter for each label."""
    job: dict[str, Any] = json.loads(Path("job.json").read_text())
    if job["model_type"] != "ner":
        raise SystemExit("this script trains named entities only")
    last = job["trunk"]["taps"] - 1
    states = np.load("dataset/train.states.npy", mmap_mode="r")[:, last].astype(np.float32)
    features = np.load("dataset/train.features.npy")
    tags = np.load("dataset/train.tags.npy")
    present = np.load("dataset/train.present.npy")
    projection, shift = components(states[present])
    width = projection.shape[1]
    inputs = normed(states[present] @ projection + shift)
    print(f"{len(inputs)} words, {width} components")
    metrics = {}
    for index, label in enumerate(job["labels"]):
        weight, bias = fit(inputs, tags[index][present])
        found = (inputs @ weight + bias).argmax(axis=1)
        metrics[label] = float((found == tags[index][present]).mean())
        home = Path("artifacts", str(index))
        home.mkdir()
        # One rung that adds nothing to the projected state: what it would add is multiplied by 0.
        tensors = {
            "tap_weight": projection[None],
            "tap_bias": shift[None],
            "feature_weight": np.zeros((features.shape[1], width), dtype=np.float32),
            "context_weight": np.zeros((1, width, width), dtype=np.float32),
            "context_bias": np.zeros((1, width), dtype=np.float32),
            "mix_weight": np.zeros((1, width, width), dtype=np.float32),
            "head_weight": weight,
            "head_bias": bias,
        }
        save_file(tensors, home / "adapter.safetensors")
        manifest = {"label": label, "width": width, "context": 0, "taps": [last]}
        (home / "manifest.json").write_text(json.dumps(manifest))
        print(f"::progress {(index + 1) / len(job['labels'])}")
    Path("metrics.json").write_text(json.dumps({"train_accuracy": metrics}))


if __name__ == "__main__":
    main()
