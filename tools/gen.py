"""Generate the committed Python stubs of every proto into sdk/ (run by `make gen`).

With --check nothing is changed: the exit status says whether the committed stubs are what the
protos give.
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
SDK = ROOT / "sdk"
HEADER = '"""Generated protobuf and gRPC modules."""\n'


def generate(target: Path) -> list[Path]:
    """Write the stubs of all protos below `target`; return their paths relative to it."""
    sources = sorted(str(p.relative_to(PROTOS)) for p in PROTOS.rglob("*.proto"))
    services = [s for s in sources if s.endswith("_service.proto")]
    bin_dir = Path(sys.executable).parent
    include = str(files("grpc_tools") / "_proto")
    common = ["protoc", f"-I{PROTOS}", f"-I{include}"]
    runs = [
        [*common, f"--python_out={target}", f"--pyi_out={target}", *sources],
        [
            *common,
            f"--plugin=protoc-gen-mypy_grpc={bin_dir / 'protoc-gen-mypy_grpc'}",
            f"--grpc_python_out={target}",
            f"--mypy_grpc_out={target}",
            *services,
        ],
    ]
    for run in runs:
        if protoc.main(run) != 0:
            raise SystemExit(f"protoc failed: {' '.join(run)}")
    for folder in sorted({p.parent for p in target.rglob("*_pb2.py")}):
        for package in (folder, folder.parent):
            (package / "__init__.py").write_text(HEADER)
    return sorted(p.relative_to(target) for p in target.rglob("*") if p.is_file())


def main() -> int:
    """Generate, or with --check compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        made = generate(fresh)
        committed = {
            p.relative_to(SDK)
            for package in ("common", "annotation", "trainer", "registry", "inference")
            for p in (SDK / "spanloop" / package).rglob("*")
            if p.is_file() and "__pycache__" not in p.parts
        }
        stale = sorted(committed - set(made))
        changed = [
            p
            for p in made
            if not (SDK / p).exists() or not filecmp.cmp(fresh / p, SDK / p, shallow=False)
        ]
        if check:
            for path in [*changed, *stale]:
                sys.stderr.write(f"not what the protos give: sdk/{path} (run `make gen`)\n")
            return 1 if changed or stale else 0
        for path in made:
            (SDK / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(fresh / path, SDK / path)
        for path in stale:
            (SDK / path).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
