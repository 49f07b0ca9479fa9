"""The files of a job that parent and child exchange. Free of torch and gRPC.

``<jobs>/<job>/``: ``snapshot.jsonl`` (the examples), ``spec.json`` (what to do), ``run/`` (the
engine's checkpoint), ``fetched/`` (adapters of other versions), ``baseline.json`` (what the served
version scores), ``adapters/``, ``report.json`` and ``result.json`` (what was made; written last, so
that its presence says that computing is complete). Every file appears whole or not at all.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from services.trainer.documents import (
    baseline_of,
    baseline_value,
    evaluation_of,
    evaluation_value,
)
from services.trainer.domain import Baseline, SplitEvaluation
from services.trainer.reports.documents import report_of, report_value
from services.trainer.reports.model import TrainingReport
from services.trainer.scripts.model import ScriptLimits


class JobFilesError(ValueError):
    """A file of the job is missing, damaged, or of another release."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One text with what was annotated in it.

    Attributes:
        text: The text.
        spans: Gold spans: start, end (half-open code points), label.
        split: ``train``, ``dev`` or ``test``.
        choices: Chosen values: control, value.
        assertions: Spans with a status: start, end, status.
    """

    text: str
    spans: tuple[tuple[int, int, str], ...]
    split: str
    choices: tuple[tuple[str, str], ...] = ()
    assertions: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class AdapterFiles:
    """One label's adapter on disk."""

    label: str
    manifest: str
    weights: str


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """The version that is served while a job runs, to be measured on the job's examples.

    Attributes:
        model_version: Its resource name.
        trunk_folder: Its trunk, which may be another than the job's.
        adapters: Its adapters.
        split: Where it is measured: ``dev``, or ``test`` where there is no dev.
    """

    model_version: str
    trunk_folder: str
    adapters: tuple[AdapterFiles, ...]
    split: str


@dataclass(frozen=True, kw_only=True)
class ScriptFile:
    """A training script on disk, and what it may use."""

    path: str
    limits: ScriptLimits


@dataclass(frozen=True, kw_only=True)
class PrecisionCheck:
    """What is held against the precision of a job's trunk.

    Attributes:
        fp32_folder: The same trunk in fp32, exported; empty: the child exports it.
        train: Compare with a training on that one; else the same adapters just read it.
        max_label_loss: F1 that a label may lose against that.
        min_spans: Annotated spans that a label needs to be held to that.
    """

    fp32_folder: str
    train: bool
    max_label_loss: float
    min_spans: int


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """What a child is to do.

    Attributes:
        job: The job's name, for messages.
        folder: The job's own folder.
        cache_folder: Activations, shared between jobs.
        cache_bytes: Most bytes of activations.
        trunks_folder: Exported trunks by digest, shared between jobs.
        trunk_folder: The exported trunk to use; empty: export `trunk_source` into `trunks_folder`.
        trunk_source: Where the trunk comes from, with its precision.
        trunk_precision_reason: Why in this precision, for the lineage.
        precision_check: What the precision is held to; None: nothing.
        labels: The labels to train; for a classification the values, for an assertion the
            statuses.
        model_type: ``ner``, ``classification`` or ``assertion``.
        control: For a classification: name of the `Choices` control.
        multiple: For a classification: several values may be chosen at once.
        engine: Name of the engine.
        use_gpu: Whether the job was given a GPU.
        parameters: Those that were given; the engine's defaults hold for the rest.
        engine_options: The engine's own that were given, as the caller wrote them.
        initial_adapters: Where the training of their labels starts.
        script: What the engine `script` runs.
        fixed_trunk: Whether the result joins adapters that read `trunk_folder`, so that it cannot
            bring a trunk of its own.
        served: What the result is compared with before it is deployed; None: nothing.
        lineage: Goes into the adapters' manifests.
        threads: Threads to compute with; 0: all cores.
        providers: ``auto``, ``cpu`` or ``cuda``.
    """

    job: str
    folder: str
    cache_folder: str
    cache_bytes: int
    trunks_folder: str
    trunk_folder: str = ""
    trunk_source: str
    trunk_precision_reason: str = ""
    precision_check: PrecisionCheck | None = None
    labels: tuple[str, ...]
    model_type: str = "ner"
    control: str = ""
    multiple: bool = False
    engine: str = "ladder"
    use_gpu: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    engine_options: Mapping[str, str] = field(default_factory=dict)
    initial_adapters: tuple[AdapterFiles, ...] = ()
    script: ScriptFile | None = None
    fixed_trunk: bool = False
    served: ServedModel | None = None
    lineage: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 0
    providers: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Parity:
    """What the comparison of the training framework with onnxruntime found."""

    texts: int
    max_abs_diff: float
    span_mismatches: int
    passed: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """What a child made; paths are absolute.

    Attributes:
        trunk_folder: The trunk that the adapters read.
        adapters: What was trained.
        evaluation: Its quality by split.
        parity: Whether it may be served.
        parameters: All that decided the run besides its data, canonical JSON: engine, parameters
            with their defaults, seed, trunk.
        fp32_trunk_folder: The trunk in fp32 that the adapters' precision was held against, if it
            was exported for that; empty: none was.
    """

    trunk_folder: str
    adapters: tuple[AdapterFiles, ...]
    evaluation: tuple[SplitEvaluation, ...]
    parity: Parity
    parameters: str = ""
    fp32_trunk_folder: str = ""


class JobFolder:
    """The folder of one job."""

    def __init__(self, path: Path) -> None:
        """Name the folder; `create` makes it."""
        self.path = path
        self.examples_path = path / "snapshot.jsonl"
        self.spec_path = path / "spec.json"
        self.result_path = path / "result.json"
        self.report_path = path / "report.json"
        self.run_path = path / "run"
        self.adapters_path = path / "adapters"
        self.fetched_path = path / "fetched"
        self.script_path = path / "script.py"
        self.baseline_path = path / "baseline.json"

    def create(self) -> None:
        """Make the folders, readable by this user only: they hold the project's texts."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.run_path.mkdir(exist_ok=True)

    def write_examples(self, examples: Iterable[Example]) -> None:
        """Store the snapshot's examples."""
        lines = (json.dumps(asdict(example)) for example in examples)
        write_whole(self.examples_path, "".join(f"{line}\n" for line in lines).encode())

    def read_examples(self) -> Iterator[Example]:
        """Yield the examples in the snapshot's order."""
        with self.examples_path.open("rb") as lines:
            for line in lines:
                entry = json.loads(line)
                yield Example(
                    text=entry["text"],
                    spans=tuple((start, end, label) for start, end, label in entry["spans"]),
                    split=entry["split"],
                    choices=tuple((control, value) for control, value in entry["choices"]),
                    assertions=tuple((s, e, status) for s, e, status in entry["assertions"]),
                )

    def write_spec(self, spec: JobSpec) -> None:
        """Store what the child is to do."""
        write_whole(self.spec_path, json.dumps(asdict(spec)).encode())

    def write_report(self, report: TrainingReport) -> None:
        """Store the report on what was made."""
        write_whole(self.report_path, json.dumps(report_value(report)).encode())

    def read_report(self) -> TrainingReport | None:
        """Return the report, or None when the engine made none.

        Raises:
            JobFilesError: The file is damaged.
        """
        try:
            return report_of(json.loads(self.report_path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise JobFilesError("the report file is damaged") from error

    def write_result(self, result: JobResult) -> None:
        """Store what was made; call it last."""
        document = asdict(result) | {"evaluation": evaluation_value(result.evaluation)}
        write_whole(self.result_path, json.dumps(document).encode())

    def write_baseline(self, baseline: Baseline) -> None:
        """Store what the served version scores; call it before `write_result`."""
        write_whole(self.baseline_path, json.dumps(baseline_value(baseline)).encode())

    def read_baseline(self) -> Baseline | None:
        """Return what the served version scores, or None when nothing was compared.

        Raises:
            JobFilesError: The file is damaged.
        """
        try:
            return baseline_of(json.loads(self.baseline_path.read_bytes()))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise JobFilesError("the baseline file cannot be read") from error

    def read_result(self) -> JobResult | None:
        """Return what was made, or None when computing is not complete.

        Raises:
            JobFilesError: The file is damaged.
        """
        try:
            document = json.loads(self.result_path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            raise JobFilesError("the result file is no JSON") from None
        try:
            return JobResult(
                trunk_folder=document["trunk_folder"],
                adapters=tuple(AdapterFiles(**entry) for entry in document["adapters"]),
                evaluation=evaluation_of(document["evaluation"]),
                parity=Parity(**document["parity"]),
                parameters=document["parameters"],
                # Results of earlier releases have none.
                fp32_trunk_folder=document.get("fp32_trunk_folder", ""),
            )
        except (KeyError, TypeError) as error:
            raise JobFilesError("the result file lacks a field or has an unknown one") from error


def read_spec(path: Path) -> JobSpec:
    """Return the spec in a file.

    Raises:
        JobFilesError: The file cannot be read as a spec.
    """
    try:
        document = json.loads(path.read_bytes())
        return JobSpec(
            **{
                **document,
                "labels": tuple(document["labels"]),
                "initial_adapters": _adapters(document["initial_adapters"]),
                "script": _script(document["script"]),
                "precision_check": _check(document["precision_check"]),
                "served": _served(document["served"]),
            }
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JobFilesError(f"{path.name} is no job spec") from error


def _adapters(entries: Iterable[Mapping[str, str]]) -> tuple[AdapterFiles, ...]:
    return tuple(AdapterFiles(**entry) for entry in entries)


def _script(entry: Mapping[str, Any] | None) -> ScriptFile | None:
    if entry is None:
        return None
    return ScriptFile(path=entry["path"], limits=ScriptLimits(**entry["limits"]))


def _check(entry: Mapping[str, Any] | None) -> PrecisionCheck | None:
    return None if entry is None else PrecisionCheck(**entry)


def _served(entry: Mapping[str, Any] | None) -> ServedModel | None:
    if entry is None:
        return None
    return ServedModel(**{**entry, "adapters": _adapters(entry["adapters"])})


def write_whole(path: Path, data: bytes) -> None:
    """Write a file durably so that it is there whole or not at all, whatever is killed when."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with part.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
