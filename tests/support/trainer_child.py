"""A training child that computes nothing: it speaks the protocol as a control folder says.

``python trainer_child.py <control folder> <spec file>``. In the control folder:

- ``epochs``: number of passes (default 3); ``hold``: wait after this pass, or in ``export`` or
  ``evaluating``, while it exists
- ``die``: kill itself after its first pass; ``raise``: end with an unhandled error
- ``baseline``: JSON of what the served version scores, F1 by label
- ``fail``: ``REASON message``; ``parity``: ``bad`` for a parity check that fails
- ``refuse``: fail with PRECISION_REFUSED unless the trunk is in fp32
- ``no-report``: make none
- ``weights``: goes into the adapters, so that runs differ
- written by the child: ``pid``, ``spec`` (what it was told to do), and ``trace`` with one line per
  pass trained
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

from services.common.modeling.heads import ASSERTION
from services.common.modeling.manifest import (
    ADAPTER_FILE,
    TOKENIZER_FILE,
    TRUNK_FILE,
    AdapterManifest,
    Decoding,
    FileDigest,
    Head,
    LadderArchitecture,
    TrunkManifest,
)
from services.trainer.domain import Baseline, SpanMetrics, SplitEvaluation
from services.trainer.engines.trunk_names import split_precision
from services.trainer.job_files import (
    AdapterFiles,
    JobFolder,
    JobResult,
    JobSpec,
    Parity,
    read_spec,
)
from services.trainer.protocol import STOP, message_line
from services.trainer.reports.making import split_report
from services.trainer.reports.model import LearningCurvePoint, ScoredText, TrainingReport

MODEL = b"onnx bytes"
TOKENIZER = b'{"tokenizer": "json"}'


def trunk(spec_source: str) -> TrunkManifest:
    return TrunkManifest(
        name="tiny",
        source=spec_source,
        architecture="bert",
        hidden_size=8,
        taps=3,
        max_length=64,
        pad_token_id=0,
        precision=split_precision(spec_source)[1],
        opset=20,
        files={TRUNK_FILE: FileDigest.of(MODEL), TOKENIZER_FILE: FileDigest.of(TOKENIZER)},
    )


def export_trunk(spec: JobSpec) -> Path:
    """Write the trunk's files, or find them; returns their folder."""
    manifest = trunk(spec.trunk_source)
    home = Path(spec.trunk_folder or f"{spec.trunks_folder}/{manifest.digest[7:]}")
    if not spec.trunk_folder:
        home.mkdir(parents=True, exist_ok=True)
        (home / TRUNK_FILE).write_bytes(MODEL)
        (home / TOKENIZER_FILE).write_bytes(TOKENIZER)
        (home / "manifest.json").write_bytes(manifest.to_bytes())
    return home


def write_results(
    spec: JobSpec,
    folder: JobFolder,
    home: Path,
    *,
    bad: bool,
    with_report: bool,
    weights_of: str,
) -> None:
    """Write what a training would have made."""
    manifest = TrunkManifest.from_bytes((home / "manifest.json").read_bytes())
    adapters = []
    names = spec.labels if spec.model_type == "ner" else (spec.control or ASSERTION,)
    head = {"ner": Head.TAGS, "classification": Head.CHOICES}.get(spec.model_type, Head.ASSERTION)
    decoding = Decoding(scheme="single")
    if head is Head.TAGS:
        decoding = Decoding(outside_bias=0.0)
    elif spec.multiple:
        decoding = Decoding(scheme="multiple", thresholds=(0.5,) * len(spec.labels))
    for index, label in enumerate(names):
        weights = f"weights of {label}{weights_of}".encode()
        data = AdapterManifest(
            label=label,
            trunk_digest=manifest.digest,
            tokenizer_digest=manifest.tokenizer_digest,
            architecture=LadderArchitecture(
                hidden_size=8,
                width=4,
                taps=(0, 1, 2),
                context=1,
                features=39,
                head=head,
                classes=3 if head is Head.TAGS else len(spec.labels),
            ),
            decoding=decoding,
            classes=() if head is Head.TAGS else spec.labels,
            max_length=32,
            stride=8,
            files={ADAPTER_FILE: FileDigest.of(weights)},
            word_splitter="v1",
            featuriser="v1",
            lineage=spec.lineage,
        ).to_bytes()
        made = folder.adapters_path / str(index)
        made.mkdir(parents=True, exist_ok=True)
        (made / "manifest.json").write_bytes(data)
        (made / "adapter.safetensors").write_bytes(weights)
        adapters.append(
            AdapterFiles(
                label=label,
                manifest=str(made / "manifest.json"),
                weights=str(made / "adapter.safetensors"),
            )
        )
    scores = SpanMetrics(precision=0.5, recall=0.5, f1=0.5, support=4, predicted=4, correct=2)
    evaluation = SplitEvaluation(
        split="test",
        labels=dict.fromkeys(spec.labels, scores),
        micro=scores,
        macro=scores,
        texts=2,
    )
    if with_report:
        found = [(0, 4, spec.labels[0], 0.9), (10, 14, "<i>odd</i>", 0.5)]
        text = ScoredText(
            text="Acme paid <b>2024</b>.", gold=[(0, 4, spec.labels[0])], predicted=found
        )
        curve = (
            LearningCurvePoint(texts=2, micro_f1=0.25),
            LearningCurvePoint(texts=4, micro_f1=0.5),
        )
        splits = (split_report(evaluation, [text]),)
        folder.write_report(TrainingReport(splits=splits, learning_curve=curve))
    folder.write_result(
        JobResult(
            trunk_folder=str(home),
            adapters=tuple(adapters),
            evaluation=(evaluation,),
            parity=Parity(
                texts=5,
                max_abs_diff=0.5 if bad else 1e-6,
                span_mismatches=1 if bad else 0,
                passed=not bad,
                reason="a span differs" if bad else "",
            ),
            parameters=json.dumps({"engine": spec.engine}),
        )
    )


def write_baseline(folder: JobFolder, model_version: str, found: dict[str, float]) -> None:
    """Say what the served version scores, F1 by label; of nothing: it cannot be measured."""
    measured = {
        label: SpanMetrics(f1=f1, precision=f1, recall=f1, support=4) for label, f1 in found.items()
    }
    nothing = SpanMetrics()
    folder.write_baseline(
        Baseline(
            model_version=model_version,
            evaluation=SplitEvaluation(
                split="test", labels=measured, micro=nothing, macro=nothing, texts=2
            )
            if measured
            else None,
            reason="" if measured else "the child was told so",
        )
    )


def main() -> None:
    control, spec = Path(sys.argv[1]), read_spec(Path(sys.argv[2]))
    stop = threading.Event()

    def watch() -> None:
        while data := os.read(0, 1024):
            if STOP in data:
                stop.set()
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()

    def send(kind: str, **fields: object) -> None:
        os.write(1, message_line(kind, **fields))

    def setting(name: str, default: str = "") -> str:
        try:
            return (control / name).read_text()
        except FileNotFoundError:
            return default

    (control / "pid").write_text(str(os.getpid()))
    (control / "environment").write_text(json.dumps(dict(os.environ)))
    if setting("raise"):
        raise RuntimeError("the child has a bug")
    if setting("fail"):
        reason, _, message = setting("fail").partition(" ")
        send("failed", reason=reason, message=message)
        os._exit(0)
    folder = JobFolder(Path(spec.folder))
    while setting("hold") == "export":
        time.sleep(0.02)
    home = export_trunk(spec)
    if not spec.trunk_folder:
        send("log", level="info", message="exported the trunk")
    checkpoint = folder.run_path / "checkpoint"
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    if done:
        send("log", level="info", message=f"resumed after epoch {done}")
    epochs = int(setting("epochs", "3"))
    for epoch in range(done + 1, epochs + 1):
        with (control / "trace").open("a") as trace:
            trace.write(f"{epoch}\n")
        fraction = epoch / epochs
        send("log", level="info", message=f"epoch {epoch}")
        send("progress", phase=f"epoch {epoch}", fraction=fraction, epoch=epoch, epochs=epochs)
        send(
            "epoch",
            epoch=epoch,
            loss=1 / epoch,
            dev_micro_f1=0.5,
            dev_f1=dict.fromkeys(spec.labels, 0.5),
            seconds=0.1,
        )
        checkpoint.write_text(str(epoch))
        if setting("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        while setting("hold") == str(epoch) and not stop.is_set():
            time.sleep(0.02)
        if stop.is_set():
            send("stopped")
            os._exit(0)
    if setting("refuse") and "@" in spec.trunk_source:
        send("failed", reason="PRECISION_REFUSED", message="It costs PARTY too much.")
        os._exit(0)
    send("timing", part="training", seconds=1.5)
    send("evaluating")
    while setting("hold") == "evaluating":
        time.sleep(0.02)
    if spec.served is not None:
        write_baseline(folder, spec.served.model_version, json.loads(setting("baseline", "{}")))
    (control / "spec").write_text(json.dumps(asdict(spec)))
    write_results(
        spec,
        folder,
        home,
        bad=setting("parity") == "bad",
        with_report=not setting("no-report"),
        weights_of=setting("weights"),
    )
    send("result")
    os._exit(0)


if __name__ == "__main__":
    main()
