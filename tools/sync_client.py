"""Generate the SDK's synchronous client (sdk/spanloop/_sync) from the asynchronous one.

With --check nothing is changed: the exit status says whether the committed files are what the
asynchronous ones give.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "sdk" / "spanloop" / "_async"
TARGET = ROOT / "sdk" / "spanloop" / "_sync"
RULES = [
    (r"grpc\.aio\.AioRpcError", "grpc.RpcError"),
    (r"^import grpc\.aio\n", ""),
    (r"grpc\.aio\.", "grpc."),
    (r"^import asyncio$", "import time"),
    (r"^from asyncio import CancelledError$", "from concurrent.futures import CancelledError"),
    (r"asyncio\.sleep", "time.sleep"),
    (r": grpc\.aio channels belong to the loop that is running", ""),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\bAsyncTransport\b", "Transport"),
    (r"\bAsyncClient\b", "Client"),
    (r"AsyncStub\b", "Stub"),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"spanloop\._async", "spanloop._sync"),
    (r"Iterator, (.*)Iterator$", r"Iterator, \1"),
]
HEADER = (
    '"""The client on synchronous channels; generated from `_async` by tools/sync_client.py."""\n'
)


def convert(text: str) -> str:
    """Return the synchronous form of an asynchronous module."""
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    # Imports that became the same name twice are joined; ruff sorts the rest.
    return re.sub(
        r"^(from collections\.abc import )(.*)$",
        lambda found: found[1] + ", ".join(sorted(set(found[2].split(", ")) - {""})),
        text,
        flags=re.MULTILINE,
    )


def generate(target: Path) -> None:
    """Write the synchronous modules into the folder `target`."""
    for source in sorted(SOURCE.glob("*.py")):
        text = source.read_text(encoding="utf-8")
        made = HEADER if source.name == "__init__.py" else convert(text)
        (target / source.name).write_text(made, encoding="utf-8")
    config = ["--config", str(ROOT / "pyproject.toml"), "--quiet", "--no-cache"]
    for arguments in (
        ["check", "--fix", "--unsafe-fixes", "--select", "I,UP028", *config],
        ["format", *config],
    ):
        subprocess.run(  # noqa: S603 - fixed arguments
            [sys.executable, "-m", "ruff", *arguments, str(target)], check=True, cwd=ROOT
        )


def main() -> int:
    """Generate, or with --check compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    if not parser.parse_args().check:
        TARGET.mkdir(exist_ok=True)
        generate(TARGET)
        return 0
    # Beside the target, so that ruff takes the same settings for first-party imports.
    with tempfile.TemporaryDirectory(dir=TARGET.parent, prefix="_check_") as folder:
        generate(Path(folder))
        names = {path.name for path in (*Path(folder).glob("*.py"), *TARGET.glob("*.py"))}
        stale = [
            name
            for name in sorted(names)
            if not (TARGET / name).exists()
            or not (Path(folder) / name).exists()
            or (TARGET / name).read_text() != (Path(folder) / name).read_text()
        ]
    for name in stale:
        sys.stderr.write(f"sdk/spanloop/_sync/{name} is not what _async/{name} gives\n")
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
