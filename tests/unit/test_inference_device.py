"""What the service says of the device that it runs on."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.common.modeling.onnx.providers import CPU, cuda_usable
from services.inference.bootstrap import build
from services.inference.config import InferenceSettings
from tests.support.inference import inference_settings

pytestmark = pytest.mark.skipif(cuda_usable(), reason="this machine has a usable CUDA device")


def settings(folder: Path, **fields: object) -> InferenceSettings:
    return inference_settings(folder, "127.0.0.1:1", **fields)


async def logged(given: InferenceSettings) -> list[dict[str, object]]:
    with capture_logs() as logs:
        async with build(given):
            pass
    return [one for one in logs if str(one["event"]).startswith("execution_provider")]


async def test_why_it_runs_on_the_cpu(tmp_path: Path) -> None:
    (line,) = await logged(settings(tmp_path))
    assert (line["setting"], line["chosen"]) == ("auto", CPU)
    assert line["why"]
    (line,) = await logged(settings(tmp_path, execution_provider="cpu"))
    assert (line["chosen"], line["why"]) == (CPU, None)


async def test_graphs_without_cuda_are_told_once(tmp_path: Path) -> None:
    _, line = await logged(settings(tmp_path, cuda_graphs=True))
    assert line["log_level"] == "warning"
    assert (line["wanted"], line["used"]) == ("CUDA graphs", CPU)
    assert "CUDAExecutionProvider" in str(line["why"])


@pytest.mark.parametrize("wanted", ["cuda", "tensorrt"])
async def test_a_device_that_is_wanted_by_name_must_be_there(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(ValueError, match=f"'{wanted}'.*no usable CUDA device"):
        await logged(settings(tmp_path, execution_provider=wanted))


def test_engines_are_kept_beside_the_other_data(tmp_path: Path) -> None:
    assert settings(tmp_path).engine_cache == tmp_path / "inference" / "tensorrt"
