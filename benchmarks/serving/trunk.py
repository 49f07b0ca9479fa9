"""Exports the embedded trunk, in a process of its own: torch does not stay in the benchmark's.

python -m benchmarks.serving.trunk FOLDER
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.serving.servers import ROOT
from services.common.modeling.onnx.trunk import MANIFEST_FILE

SOURCE = "embedded:all-MiniLM-L6-v2"


def exported_trunk(folder: Path) -> Path:
    """Return the folder of the embedded trunk below a folder; exported when it is not there.

    Raises:
        SystemExit: It cannot be exported; why is on standard error.
    """
    trunk = folder / "trunk"
    if not (trunk / MANIFEST_FILE).is_file():
        draft = folder / "trunk.draft"
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.serving.trunk", draft], cwd=ROOT, check=False
        )
        if done.returncode:
            raise SystemExit("the embedded trunk cannot be exported")
        # Last, so that an export that was cut off is made again.
        draft.rename(trunk)
    return trunk


if __name__ == "__main__":
    from services.trainer.engines.trunk_export import export_trunk
    from services.trainer.engines.trunk_source import load_trunk

    export_trunk(load_trunk(SOURCE)).write(Path(sys.argv[1]).resolve())
