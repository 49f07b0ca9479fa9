"""Exported trunks as folders, named by their digests and shared between jobs."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

from services.common.modeling.onnx.trunk import MANIFEST_FILE
from services.trainer.engines.trunk_export import TrunkArtifact, convert_trunk, export_trunk
from services.trainer.engines.trunk_names import FP32, split_precision
from services.trainer.engines.trunk_source import load_trunk


def export_into(
    trunks: Path, source: str, say: Callable[[str], None], *, with_fp32: bool = False
) -> tuple[Path, Path | None]:
    """Export a trunk; return its folder below `trunks`, and that of it in fp32 if wanted.

    Args:
        trunks: Where exported trunks lie.
        source: Where the trunk comes from, with its precision.
        say: Told lines for a log.
        with_fp32: Whether what another precision is made from is kept too.

    Raises:
        TrunkSourceError: It cannot be found or loaded.
        TrunkExportError: It cannot be exported, or its precision strays too far from fp32.
    """
    say(f"exporting the trunk {source} to ONNX")
    plain, precision = split_precision(source)
    whole = export_trunk(load_trunk(plain))
    artifact = whole if precision == FP32 else convert_trunk(whole, precision)
    folder = _keep(trunks, artifact)
    say(f"trunk exported: {artifact.manifest.digest}, {artifact.agreement}")
    return folder, _keep(trunks, whole) if with_fp32 else None


def _keep(trunks: Path, artifact: TrunkArtifact) -> Path:
    folder = trunks / artifact.manifest.digest.removeprefix("sha256:")
    if (folder / MANIFEST_FILE).is_file():
        return folder
    # Whole or not at all: another child may export the same trunk just now.
    part = trunks / f".{folder.name}.{uuid.uuid4().hex}"
    artifact.write(part)
    if folder.exists():
        shutil.rmtree(folder)  # without a manifest: damaged
    try:
        part.rename(folder)
    except OSError:
        shutil.rmtree(part)
    return folder
