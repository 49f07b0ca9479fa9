"""What can be set for inference."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.inference.config import InferenceSettings


@pytest.mark.parametrize("tokens", [1, 15])
def test_a_batch_that_holds_hardly_a_text_is_refused(
    tokens: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPANLOOP_INFERENCE_BATCH_TOKENS", str(tokens))
    with pytest.raises(ValidationError, match="by the device, or at least 16") as caught:
        InferenceSettings(data_dir=tmp_path)
    assert [one["loc"] for one in caught.value.errors()] == [("batch_tokens",)]


@pytest.mark.parametrize(
    ("tokens", "on_gpu", "sizes"),
    [
        (0, False, (1024, 256)),
        (0, True, (16_384, 4096)),
        (16, False, (16, 4)),
        (64, True, (64, 16)),
    ],
)
def test_a_batch_is_as_large_as_was_said_or_fits_the_device(
    tokens: int, on_gpu: bool, sizes: tuple[int, int], tmp_path: Path
) -> None:
    settings = InferenceSettings(data_dir=tmp_path, batch_tokens=tokens)
    assert settings.batch_sizes(on_gpu=on_gpu) == sizes
