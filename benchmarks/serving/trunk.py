"""Exports the embedded trunk, in a process of its own: torch does not stay in the benchmark's.

python -m benchmarks.serving.trunk FOLDER PRECISION
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.serving.servers import ROOT
from services.common.modeling.onnx.trunk import MANIFEST_FILE
from services.trainer.engines.trunk_names import DEFAULT_TRUNK, PRECISIONS

TRUNK_PRECISIONS = ("fp32", *PRECISIONS)
"""What the embedded trunk can be exported in."""


def exported_trunk(folder: Path, precision: str = "fp32") -> Path:
    """Return the folder of the embedded trunk below a folder; exported when it is not there.

    Args:
        folder: Holds trunks, one folder each.
        precision: Of its weights.

    Raises:
        SystemExit: It cannot be exported; why is on standard error.
    """
    trunk = folder / f"trunk-{precision}"
    if not (trunk / MANIFEST_FILE).is_file():
        draft = folder / f"trunk-{precision}.draft"
        command = [sys.executable, "-m", "benchmarks.serving.trunk", str(draft.resolve())]
        if subprocess.run([*command, precision], cwd=ROOT, check=False).returncode:
            raise SystemExit(f"the embedded trunk cannot be exported in {precision}")
        # Last, so that an export that was cut off is made again.
        draft.rename(trunk)
    return trunk


if __name__ == "__main__":
    from services.trainer.engines.trunk_export import export_trunk
    from services.trainer.engines.trunk_source import load_trunk

    export_trunk(load_trunk(DEFAULT_TRUNK), sys.argv[2]).write(Path(sys.argv[1]))
