"""What a training script made: adapters for a trunk, and perhaps a trunk, checked in full."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.common.modeling.adapter import load_adapter
from services.common.modeling.documents import ManifestError, Reader
from services.common.modeling.evaluation import Score
from services.common.modeling.heads import Decoding
from services.common.modeling.manifest import (
    ADAPTER_FILE,
    TOKENIZER_FILE,
    TRUNK_FILE,
    AdapterManifest,
    FileDigest,
    LadderArchitecture,
    TrunkManifest,
)
from services.common.modeling.onnx.trunk import MANIFEST_FILE
from services.common.modeling.word_features import FEATURE_COUNT, FEATURISER
from services.common.modeling.words import WORD_SPLITTER
from services.trainer.engines.interface import AdapterArtifact, ScriptFailedError
from services.trainer.engines.params import LadderParams
from services.trainer.engines.selection import LabelChoice
from services.trainer.engines.task import Task

_MAX_MANIFEST = 100_000
_MAX_METRICS = 100_000


def read_trunk(artifacts: Path, target: Path, source: str) -> Path | None:
    """Take over a trunk that the script brought, into `target`; None: it brought none.

    Args:
        artifacts: The script's `artifacts` folder.
        target: Where the trunk goes.
        source: What its manifest is to name as its source, so that it is taken for no other.

    Raises:
        ScriptFailedError: It is none.
    """
    home = artifacts / "trunk"
    if not home.is_dir():
        return None
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    try:
        manifest = TrunkManifest.from_bytes(_read(home / MANIFEST_FILE, artifacts, _MAX_MANIFEST))
    except ManifestError as error:
        raise ScriptFailedError(f"The script's trunk cannot be used: {error}") from error
    for name in (TRUNK_FILE, TOKENIZER_FILE):
        shutil.copyfile(_regular(home / name, artifacts), target / name)
    (target / MANIFEST_FILE).write_bytes(replace(manifest, source=source).to_bytes())
    return target


def read_adapters(
    artifacts: Path,
    task: Task,
    trunk: TrunkManifest,
    params: LadderParams,
    lineage: Mapping[str, Any],
) -> dict[str, AdapterArtifact]:
    """Return the adapters that the script made, by label, verified.

    Raises:
        ScriptFailedError: One is missing, is there twice, nobody asked for it, or it cannot be
            served.
    """
    found: dict[str, AdapterArtifact] = {}
    for home in sorted(path for path in artifacts.iterdir() if path.name != "trunk"):
        where = f"artifacts/{home.name}"
        try:
            weights = _regular(home / ADAPTER_FILE, artifacts).read_bytes()
            data = _read(home / MANIFEST_FILE, artifacts, _MAX_MANIFEST)
            manifest = _manifest(data, weights, task, trunk, params)
            manifest = replace(manifest, lineage=lineage)
            artifact = AdapterArtifact(manifest=manifest.to_bytes(), weights=weights)
            load_adapter(artifact.manifest, artifact.weights)
        except ManifestError as error:
            raise ScriptFailedError(f"{where} cannot be used: {error}") from error
        if manifest.label in found:
            raise ScriptFailedError(f"{where} is a second adapter of {manifest.label!r}.")
        if manifest.label not in task.names:
            raise ScriptFailedError(
                f"{where} is an adapter of {manifest.label!r}; asked for are: "
                f"{', '.join(task.names)}."
            )
        found[manifest.label] = artifact
    missing = [name for name in task.names if name not in found]
    if missing:
        raise ScriptFailedError(f"The script made no adapter of: {', '.join(missing)}.")
    return found


def read_metrics(folder: Path) -> str:
    """Return the script's own metrics as one line of JSON; empty if it wrote none.

    Raises:
        ScriptFailedError: The file is no JSON object.
    """
    path = folder / "metrics.json"
    if not path.exists():
        return ""
    try:
        document = json.loads(_read(path, folder, _MAX_METRICS))
    except (ValueError, RecursionError) as error:
        raise ScriptFailedError(f"metrics.json is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise ScriptFailedError("metrics.json is no JSON object.")
    return json.dumps(document, sort_keys=True)


def _manifest(
    data: bytes, weights: bytes, task: Task, trunk: TrunkManifest, params: LadderParams
) -> AdapterManifest:
    """Return the whole manifest of what a script says about an adapter."""
    reader = Reader.parse(data, "adapter manifest")
    shape = LadderArchitecture(
        hidden_size=trunk.hidden_size,
        width=reader.integer("width", at_least=1),
        taps=reader.integers("taps") if reader.has("taps") else tuple(range(trunk.taps)),
        context=reader.integer("context", at_least=0) if reader.has("context") else 0,
        features=FEATURE_COUNT,
    )
    if not shape.taps or not all(0 <= tap < trunk.taps for tap in shape.taps):
        raise ManifestError(f"taps must be some of 0 to {trunk.taps - 1}")
    return AdapterManifest(
        label=reader.text("label"),
        trunk_digest=trunk.digest,
        tokenizer_digest=trunk.tokenizer_digest,
        architecture=task.shaped(shape),
        decoding=_decoding(reader, task),
        classes=task.classes,
        max_length=min(params.max_length, trunk.max_length),
        stride=params.stride,
        files={ADAPTER_FILE: FileDigest.of(weights)},
        word_splitter=WORD_SPLITTER,
        featuriser=FEATURISER,
    )


def _decoding(reader: Reader, task: Task) -> Decoding:
    return task.decoding(
        LabelChoice(
            bias=reader.number("outside_bias") if reader.has("outside_bias") else 0.0,
            thresholds=reader.numbers("thresholds") if reader.has("thresholds") else (),
            score=Score(correct=0, predicted=0, support=0),
            level=0.0,
            loss=0.0,
        )
    )


def _read(path: Path, folder: Path, limit: int) -> bytes:
    file = _regular(path, folder)
    if file.stat().st_size > limit:
        raise ScriptFailedError(f"{path.relative_to(folder)} is larger than {limit:,} bytes.")
    return file.read_bytes()


def _regular(path: Path, folder: Path) -> Path:
    """Return a file that lies in the folder itself: a link would lead out of what it may read."""
    if not path.is_file() or path.resolve() != folder.resolve() / path.relative_to(folder):
        raise ScriptFailedError(f"{path.relative_to(folder)} is missing, or is no plain file.")
    return path
