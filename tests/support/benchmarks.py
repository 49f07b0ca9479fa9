"""What the tests of benchmarks share."""

from __future__ import annotations

from pathlib import Path

from services.common.modeling.onnx.trunk import MANIFEST_FILE
from tests.support.inference import tiny_trunk


def write_tiny_trunk(folder: Path, seed: int = 0) -> Path:
    """Write the tiny trunk as an exported one; return its folder."""
    trunk, home = tiny_trunk(seed), folder / f"trunk-{seed}"
    home.mkdir()
    for name, data in trunk.files.items():
        (home / name).write_bytes(data)
    (home / MANIFEST_FILE).write_bytes(trunk.manifest.to_bytes())
    return home
