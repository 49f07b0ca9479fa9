"""Checks of this machine: Python, packages, execution providers, data directory, disk."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from spanloop.cli._checks import Finding, ok, problem, warning

_MINIMUM = (3, 11)
_GIB = 1024**3
_PROBE_TIMEOUT_SECONDS = 120.0
# The probe runs apart: a broken driver may crash the process that loads it. Its model is one
# Identity node, written out so that the package onnx is not needed.
_PROBE = """
import base64, json, sys
import onnxruntime as ort
ort.set_default_logger_severity(4)
model = base64.b64decode(
    "CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEA0="
)
found = {}
for name in ort.get_available_providers():
    if name not in ("CPUExecutionProvider", "CUDAExecutionProvider"):
        continue
    try:
        session = ort.InferenceSession(model, providers=[name])
        found[name] = name in session.get_providers()
    except Exception:
        found[name] = False
print(json.dumps({"providers": ort.get_available_providers(), "usable": found}))
"""


def installed(package: str) -> str | None:
    """Return an installed package's version."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def machine_findings(data: Path) -> Iterator[Finding]:
    """Yield the findings about this machine and the data directory `data`."""
    yield python_version(sys.version_info[:2])
    yield from packages(installed)
    yield from providers(installed)
    yield from data_directory(data)
    yield disk(data)


def python_version(found: tuple[int, ...]) -> Finding:
    """Check Python itself."""
    told = f"{platform.python_version()} ({sys.executable})"
    if found < _MINIMUM:
        return problem("Python", told, "Install Python 3.11 or newer.")
    return ok("Python", told)


def packages(lookup: Callable[[str], str | None]) -> Iterator[Finding]:
    """Check the packages of the client, and say which of the services are there."""
    for name in ("spanloop", "grpcio", "protobuf", "typer", "rich"):
        found = lookup(name)
        if found:
            yield ok(name, found)
        else:
            yield problem(name, "not installed", f"pip install {name}")
    torch = lookup("torch")
    yield ok("torch", torch or "not installed: training cannot run here, all else can")
    tokenizers = lookup("tokenizers")
    yield ok("tokenizers", tokenizers or "not installed: inference and training cannot run here")


def providers(lookup: Callable[[str], str | None]) -> Iterator[Finding]:
    """Check onnxruntime and what it can run on."""
    plain, gpu = lookup("onnxruntime"), lookup("onnxruntime-gpu")
    if plain and gpu:
        yield problem(
            "onnxruntime",
            f"onnxruntime {plain} and onnxruntime-gpu {gpu} overwrite each other's files",
            "pip uninstall onnxruntime onnxruntime-gpu, then install one of them again.",
        )
        return
    if not plain and not gpu:
        yield ok("onnxruntime", "not installed: inference and training cannot run here")
        return
    yield ok("onnxruntime", f"onnxruntime-gpu {gpu}" if gpu else f"onnxruntime {plain}")
    yield from provider_findings(_run_probe())


def provider_findings(probe: dict[str, object]) -> Iterator[Finding]:
    """Judge what the probe of onnxruntime's execution providers printed."""
    listed, usable = probe.get("providers"), probe.get("usable")
    if not isinstance(listed, list) or not isinstance(usable, dict):
        yield problem(
            "execution providers",
            str(probe.get("error", "onnxruntime cannot be loaded")),
            "Reinstall onnxruntime or onnxruntime-gpu (one of them).",
        )
        return
    found = ", ".join(str(name) for name in listed)
    if not usable.get("CPUExecutionProvider"):
        yield problem("execution providers", found, "The CPU provider fails: reinstall it.")
    elif usable.get("CUDAExecutionProvider") is False:
        yield warning(
            "execution providers",
            f"{found}; CUDAExecutionProvider is listed but unusable here, the CPU is used",
            "For a GPU, install its driver and the CUDA and cuDNN libraries that onnxruntime-gpu "
            "wants; without one, this is fine.",
        )
    else:
        yield ok("execution providers", found)


def _run_probe() -> dict[str, object]:
    try:
        done = subprocess.run(  # noqa: S603 - fixed command
            [sys.executable, "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"error": "loading onnxruntime takes too long"}
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        return {"error": last[0]}
    document = json.loads(lines[-1])
    return document if isinstance(document, dict) else {}


def data_directory(data: Path) -> Iterator[Finding]:
    """Check that the data directory can be written and the token is private."""
    folder = data.resolve()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=existing, prefix=".spanloop-doctor-"):
            pass
    except OSError as error:
        yield problem(
            "data directory",
            f"{folder}: {error.strerror}",
            f"Make {existing} writable, or choose another with SPANLOOP_DATA_DIR.",
        )
    else:
        yield ok("data directory", f"{folder}" + ("" if folder.exists() else " (not made yet)"))
    token = folder / "token"
    if not token.exists():
        return
    mode = token.stat().st_mode & 0o777
    if mode & 0o077:
        yield problem("token", f"{token}: others may read it ({mode:04o})", f"chmod 600 {token}")
    elif not os.access(token, os.R_OK):
        yield problem("token", f"{token} cannot be read", f"Make {token} readable for you.")
    else:
        yield ok("token", f"{token} ({mode:04o})")


def disk(data: Path) -> Finding:
    """Check the space left for the data directory."""
    folder = data.resolve()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    told = f"{free / _GIB:.1f} GiB free"
    fix = f"Free some space on the disk of {existing}: activations and trunks need a few GiB."
    if free < _GIB:
        return problem("disk space", told, fix)
    if free < 5 * _GIB:
        return warning("disk space", told, fix)
    return ok("disk space", told)
