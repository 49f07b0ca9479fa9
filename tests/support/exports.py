"""What the tests of exports share: folders that run where nothing of Spanloop can be imported."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.manifest import TrunkManifest
from services.inference.exports.content import ExportContent
from spanloop.inference.v1 import inference_service_pb2 as pb
from tests.support.inference import InferenceClient, TinyAdapter, tiny_trunk

# Runs the folder's own module on texts from stdin, where nothing of ours can be imported.
ALONE = """
import json, pathlib, sys
sys.path[:] = [p for p in sys.path if not pathlib.Path(p, "services").is_dir()
               and not pathlib.Path(p, "spanloop").is_dir()]
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in repr(f).lower()]
sys.path.insert(0, sys.argv[1])
"""


def decoding(code: str) -> str:
    """Return a program that imports a folder's ``decode`` and tells what `code` leaves in `found`.

    It fails if anything of Spanloop can be imported.
    """
    return f"""{ALONE}
import decode
{code}
for name in ("services", "spanloop"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{{name}} can be imported")
heavy = sorted({{"torch", "onnx"}} & set(sys.modules))
print(json.dumps({{"found": found, "heavy": heavy}}))
"""


def run_alone(folder: Path, asked: Any, code: str) -> Any:
    """Run `code` on an export in a process that cannot see Spanloop, in another place.

    It finds the folder in ``sys.argv[1]`` and what is asked on stdin.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(folder)],
        input=json.dumps(asked).encode(),
        capture_output=True,
        cwd=folder.parent,
        env=env,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return the files of an archive."""
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        for entry in packed:
            content = packed.extractfile(entry)
            assert content is not None
            files[entry.name] = content.read()
    return files


async def exported(client: InferenceClient, name: str, **fields: Any) -> dict[str, bytes]:
    """Return the files of an export."""
    call = client.stub.ExportModelVersion(pb.ExportModelVersionRequest(name=name, **fields))
    return unpack(b"".join([message.chunk async for message in call]))


def content_of(*adapters: TinyAdapter, precision: str = "fp32") -> ExportContent:
    """Return what a version of these adapters exports."""
    tiny = tiny_trunk()
    trunk = replace(tiny.manifest, precision=precision)
    return ExportContent(
        version="projects/p/modelVersions/ner_p_v1",
        trunk=trunk,
        files=tiny.files,
        adapters=[of_trunk(adapter.load(), trunk) for adapter in adapters],
    )


def of_trunk(adapter: AdapterWeights, trunk: TrunkManifest) -> AdapterWeights:
    return replace(adapter, manifest=replace(adapter.manifest, trunk_digest=trunk.digest))
