"""The engine that runs a user's program: what it is given, what is taken, what is refused."""

from __future__ import annotations

import dataclasses
import json
import random
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from services.common.modeling.adapter import load_adapter
from services.trainer.engines.interface import (
    Cancelled,
    Example,
    ScriptFailedError,
    ScriptRun,
    TrainEvent,
    TrainRequest,
    TrainResult,
)
from services.trainer.engines.params import LadderParams
from services.trainer.engines.script_engine import train
from services.trainer.scripts.model import ScriptLimits
from tests.unit.tiny_trunk import write_trunk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are those of Linux")

Run: TypeAlias = Callable[..., tuple[TrainResult, list[str]]]

EXAMPLE = Path(__file__).parents[2] / "examples" / "training_script" / "probe.py"
WORDS = ["pays", "the", "rent", "to", "and", "of"]


def examples(count: int, seed: int) -> list[Example]:
    """Return texts in which numbers are YEAR and `x` words are NAME."""
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        name, year = draw.choice(["xa", "xi", "xo"]), str(draw.randint(1900, 2030))
        text = f"{draw.choice(WORDS)} {name} {draw.choice(WORDS)} {year} {draw.choice(WORDS)}"
        start, at = text.index(name), text.index(year)
        spans = [(start, start + 2, "NAME"), (at, at + 4, "YEAR")]
        made.append(Example(text=text, spans=spans))
    return made


@pytest.fixture(scope="module")
def trunk_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trunk")
    write_trunk(folder)
    return folder


@pytest.fixture
def run(trunk_folder: Path, tmp_path: Path) -> Run:
    def start(
        code: str | Path, limits: ScriptLimits | None = None, **changes: object
    ) -> tuple[TrainResult, list[str]]:
        path = tmp_path / "script.py"
        path.write_text(code.read_text() if isinstance(code, Path) else textwrap.dedent(code))
        values: dict[str, object] = {
            "train": examples(40, 1),
            "dev": examples(12, 2),
            "test": examples(12, 3),
            "labels": ["NAME", "YEAR"],
            "trunk_folder": trunk_folder,
            "work_dir": tmp_path / "work",
            "cache_dir": tmp_path / "cache",
            "params": LadderParams(max_length=64, stride=16),
            "options": {"activations": True, "script_options": "as I like"},
            "lineage": {"snapshot": "s1"},
            "script": ScriptRun(path=path, limits=limits or ScriptLimits(wall_seconds=120)),
            "threads": 1,
        }
        lines: list[str] = []

        def on_event(event: TrainEvent) -> None:
            lines.append(event.message)

        stop = changes.pop("stop", lambda: False)
        result = train(TrainRequest(**(values | changes)), on_event, stop)  # type: ignore[arg-type]
        return result, lines

    return start


MADE = """
    import json, os
    import numpy as np
    from pathlib import Path
    from safetensors.numpy import save_file
    job = json.loads(Path("job.json").read_text())
    trunk = job["trunk"]
    def make(number, label, width=4, **manifest):
        home = Path("artifacts", str(number))
        home.mkdir()
        draw = np.random.default_rng(number)
        shapes = {
            "tap_weight": (trunk["taps"], trunk["hidden_size"], width),
            "tap_bias": (trunk["taps"], width),
            "feature_weight": (39, width),
            "context_weight": (trunk["taps"], width, width),
            "context_bias": (trunk["taps"], width),
            "mix_weight": (trunk["taps"], width, width),
            "head_weight": (width, len(job["classes"]) or 3),
            "head_bias": (len(job["classes"]) or 3,),
        }
        if job["classes"]:
            shapes["pool_weight"] = (width, len(job["classes"]))
        tensors = {n: draw.normal(size=s).astype(np.float32) for n, s in shapes.items()}
        save_file(tensors, home / "adapter.safetensors")
        manifest |= {"label": label, "width": width}
        (home / "manifest.json").write_text(json.dumps(manifest))
"""


def test_the_example_learns_and_is_served(run: Run, trunk_folder: Path) -> None:
    result, lines = run(EXAMPLE, fp32_trunk_folder=trunk_folder)
    assert result.fp32_evaluations["dev"].micro == result.evaluations["dev"].micro
    assert result.evaluations["test"].labels["NAME"].f1 > 0.7
    assert result.evaluations["test"].labels["YEAR"].f1 > 0.6
    assert result.parity.passed, result.parity.reason
    assert result.trunk_folder is None
    adapter = load_adapter(result.adapters["YEAR"].manifest, result.adapters["YEAR"].weights)
    assert adapter.manifest.architecture.taps == (2,)
    assert adapter.manifest.lineage["engine"] == "script"
    assert adapter.manifest.lineage["snapshot"] == "s1"
    assert adapter.manifest.metrics["test"]["support"] == 12
    assert any("8 components" in line for line in lines)
    assert any("train_accuracy" in note for note in result.notes)
    # its output is the log, its progress is not
    assert not any("::progress" in line for line in lines)


def test_the_example_gives_the_same_again(run: Run) -> None:
    assert run(EXAMPLE)[0].adapters == run(EXAMPLE)[0].adapters


def test_a_script_is_given_its_job(run: Run) -> None:
    code = (
        MADE
        + """
    assert job["contract"] == 1
    assert (job["model_type"], job["labels"]) == ("ner", ["NAME", "YEAR"])
    assert job["options"] == {"activations": True, "script_options": "as I like"}
    assert job["parameters"]["max_length"] == 64
    assert not [name for name in os.listdir("dataset") if name.startswith("test")]
    for name, count in (("train", 40), ("dev", 12)):
        lines = [json.loads(line) for line in open(f"dataset/{name}.jsonl")]
        assert len(lines) == count
        assert {span[2] for span in lines[0]["spans"]} == {"NAME", "YEAR"}
        offsets = np.load(f"dataset/{name}.offsets.npy")
        words = np.load(f"dataset/{name}.words.npy")
        states = np.load(f"dataset/{name}.states.npy")
        assert len(words) == len(states) == offsets[-1] == 5 * count
        start, end = words[0]
        assert lines[0]["text"][start:end] == lines[0]["text"].split()[0]
    assert open(trunk["folder"] + "/manifest.json").read()
    for number, label in enumerate(job["adapters"]):
        make(number, label, outside_bias=-1.5)
    """
    )
    result, _ = run(code)
    manifest = load_adapter(*dataclasses.astuple(result.adapters["YEAR"])).manifest
    assert manifest.decoding.outside_bias == -1.5


def test_without_dev_some_training_texts_are_held_out(run: Run) -> None:
    code = (
        MADE
        + """
    assert sum(1 for _ in open("dataset/train.jsonl")) == 34
    assert sum(1 for _ in open("dataset/dev.jsonl")) == 6
    assert not os.path.exists("dataset/train.states.npy")
    for number, label in enumerate(job["adapters"]):
        make(number, label)
    """
    )
    options = {"activations": False, "script_options": ""}
    result, _ = run(code, dev=[], options=options)
    assert set(result.evaluations) == {"held_out", "test"}


def test_a_classification_is_made_too(run: Run) -> None:
    code = (
        MADE
        + """
    assert job["classes"] == ["a", "b"]
    make(0, "topic", thresholds=[0.25, 0.75])
    """
    )
    given = [
        Example(text=f"a {word} b", choices=["a"] if index % 2 else ["a", "b"])
        for index, word in enumerate(WORDS * 4)
    ]
    result, _ = run(
        code,
        model_type="classification",
        control="topic",
        multiple=True,
        labels=["a", "b"],
        train=given,
        dev=given,
        test=[],
    )
    manifest = load_adapter(*dataclasses.astuple(result.adapters["topic"])).manifest
    assert manifest.decoding.thresholds == (0.25, 0.75)
    assert result.evaluations["dev"].micro.support == 36


OWN_TRUNK = (
    MADE
    + """
    import hashlib, shutil
    home = Path("artifacts", "trunk")
    home.mkdir()
    for name in ("model.onnx", "tokenizer.json", "manifest.json"):
        shutil.copyfile(Path(trunk["folder"], name), home / name)
    for number, label in enumerate(job["adapters"]):
        make(number, label)
"""
)


def test_a_script_may_bring_a_trunk(run: Run, trunk_folder: Path) -> None:
    result, _ = run(OWN_TRUNK, fp32_trunk_folder=trunk_folder)
    assert result.trunk_folder is not None
    # Its own trunk has no precision that was chosen for it.
    assert result.fp32_evaluations == {}
    source = json.loads((result.trunk_folder / "manifest.json").read_text())["source"]
    # It must not be taken for the trunk that it was made from.
    assert source == "tuned:script"
    with pytest.raises(ScriptFailedError, match="read one trunk"):
        run(OWN_TRUNK, fixed_trunk=True)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(3)", "exit status 3"),
        ("import os; os.kill(os.getpid(), 6)", "signal 6"),
        ("", "made no adapter of: NAME, YEAR"),
        ("make(0, 'NAME')", "made no adapter of: YEAR"),
        ("make(0, 'NAME'); make(1, 'NAME')", "second adapter of 'NAME'"),
        ("make(0, 'OTHER')", "adapter of 'OTHER'; asked for are: NAME, YEAR"),
        ("make(0, 'NAME', taps=[0, 7])", "artifacts/0 cannot be used: taps"),
        ("make(0, 'NAME', taps=[0])", "artifacts/0 cannot be used"),
        ("make(0, 'NAME', context=1)", "artifacts/0 cannot be used"),
        ("make(0, 'NAME', outside_bias='low')", "outside_bias"),
        ("Path('artifacts/0').mkdir()", "adapter.safetensors is missing"),
        (
            "Path('artifacts/0').mkdir(); os.symlink('/', 'artifacts/0/adapter.safetensors')",
            "no plain file",
        ),
        ("os.symlink(trunk['folder'], 'artifacts/0')", "no plain file"),
        ("make(0, 'NAME'); open('artifacts/0/manifest.json', 'w').write('{')", "artifacts/0"),
        ("open('metrics.json', 'w').write('[1]')", "no JSON object"),
        ("open('metrics.json', 'w').write('{')", "no JSON"),
        ("open('metrics.json', 'w').write('1' * 200_000)", "larger than 100,000 bytes"),
        ("Path('artifacts/trunk').mkdir()", "trunk/manifest.json is missing"),
        ("x = bytearray(10**12)", r"exit status 1\. It may use 8,589,934,592 bytes"),
    ],
)
def test_what_breaks_the_contract_is_named(run: Run, code: str, said: str) -> None:
    with pytest.raises(ScriptFailedError, match=said):
        run(MADE + f"    {code}\n")


def test_numbers_that_are_not_finite_are_refused(run: Run) -> None:
    code = MADE.replace("draw.normal(size=s)", "np.full(s, np.nan)") + "    make(0, 'NAME')\n"
    with pytest.raises(ScriptFailedError, match="NaN or infinity"):
        run(code)


def test_limits_are_named(run: Run) -> None:
    with pytest.raises(ScriptFailedError, match="its time of 1 seconds"):
        run("while True: pass", ScriptLimits(wall_seconds=1))
    with pytest.raises(ScriptFailedError, match="1,000,000 bytes of its folder"):
        run("open('a', 'wb').write(bytes(2_000_000))", ScriptLimits(folder_bytes=1_000_000))
    limits = ScriptLimits(file_bytes=1_000)
    with pytest.raises(ScriptFailedError, match="A file may have 1,000 bytes"):
        run("file = open('a', 'wb', 0); file.write(bytes(1_000)); file.write(b'x')", limits)


def test_a_stopped_script_leaves_nothing_for_the_next(run: Run, tmp_path: Path) -> None:
    marker = tmp_path / "work" / "script" / "marker"
    code = (
        MADE
        + """
    assert not os.path.exists("marker")
    open("marker", "w").close()
    make(0, "NAME")
    import time
    time.sleep(600)
    """
    )
    with pytest.raises(Cancelled):
        run(code, stop=marker.exists)
    made = marker.parent / "artifacts" / "0" / "manifest.json"
    # Stopped only when the second run has got that far, which it could not with files of the first.
    with pytest.raises(Cancelled):
        run(code, stop=lambda: marker.exists() and made.exists())


def test_a_job_without_a_script_is_refused(run: Run) -> None:
    with pytest.raises(ScriptFailedError, match="names no training script"):
        run("", script=None)
