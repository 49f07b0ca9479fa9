"""Prints which accelerators work: ``python -m services.trainer.resources.probe``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

from services.common.modeling.onnx.providers import choose_providers, cuda_usable

_SECONDS = 20


def gpu_names() -> list[str]:
    """Return what the driver's tool lists."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    try:
        listed = subprocess.run(  # noqa: S603 - fixed arguments
            [tool, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listed.stdout.splitlines() if line.strip()]


def usable_gpus(names: list[str], *, by_runtime: bool) -> list[str]:
    """Return the names of the GPUs that a training can use."""
    if by_runtime:
        # Without the driver's tool there is at least one, of unknown name.
        return names or ["CUDA device"]
    if not names:
        return []
    # Seconds to load, so only asked where there is a GPU that onnxruntime cannot use.
    import torch

    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def main() -> None:
    """Print one JSON object."""
    gpus = usable_gpus(gpu_names(), by_runtime=cuda_usable())
    sys.stdout.write(json.dumps({"gpus": gpus, "providers": choose_providers("auto")}))


if __name__ == "__main__":
    main()
