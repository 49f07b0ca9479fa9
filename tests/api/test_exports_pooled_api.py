"""Exports of classifications and assertion statuses answer what the service answers."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from grpc import aio

from services.common.errors import Reason
from services.common.grpc_status import received_error
from services.common.modeling.choices import classify
from services.common.modeling.manifest import Head, ManifestError
from services.inference.engine.export_check import check_export
from services.inference.engine.standalone import assertions, choices
from services.inference.exports.onnx_layout import onnx_files
from services.inference.exports.sources import carried
from spanloop.inference.v1.export_pb2 import EXPORT_LAYOUT_HUGGING_FACE
from spanloop.inference.v1.predict_pb2 import GivenSpans, TextPrediction
from tests.support.exports import content_of, decoding, exported, run_alone
from tests.support.inference import (
    STATUSES,
    TEXT,
    TinyAdapter,
    golden_part,
    inference,
    tiny_assertion,
    tiny_pooled,
)
from tests.support.scripted_registry import scripted_registry

TONE = tiny_pooled("tone", classes=("good", "bad"))
TOPICS = tiny_pooled("topics", classes=("a", "b | c", "d", "e"), thresholds=(0.5, 0.2, 0.9, 0.4))
TEXTS = [
    TEXT,
    "",
    "\u200b",
    "naïve façade 東京 Ltd. 👍🏽 on 3 March\r\n#now @ada it's $1,000.50",
    # Longer than what an export reads in one run.
    TEXT * 200,
]
# Words, parts of words, nothing at all, more words than are judged, and every place of a long text.
SPANS = [
    [(0, 2), (3, 15), (17, 29), (20, 22), (2, 3), (0, len(TEXT))],
    [],
    [(0, 1)],
    [(6, 12), (15, 17)],
    [(0, 9000), *((start, start + 12) for start in range(3, 13_000, 97))],
]

CHOOSE = """
model = decode.ExportedModel(sys.argv[1])
found = [[[c.control, c.chosen, c.probabilities] for c in model.predict(text)]
         for text in json.loads(sys.stdin.buffer.read())]
"""
JUDGE = """
model = decode.ExportedModel(sys.argv[1])
found = [[[a.start, a.end, a.status, a.probabilities] for a in model.predict(text, spans)]
         for text, spans in json.loads(sys.stdin.buffer.read())]
"""


def written(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
        if name.endswith(".py"):
            assert b"services." not in data
    return folder


async def printed(folder: Path, *arguments: str) -> list[dict[str, object]]:
    """Return what the example prints, run as the README tells to."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "decode.py", *arguments), cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    found: list[dict[str, object]] = json.loads(told)
    return found


async def served(
    tmp_path: Path, adapter: TinyAdapter, given: Sequence[Sequence[tuple[int, int]]] = ()
) -> tuple[list[TextPrediction], Path]:
    """Return what the service answers with an adapter, and the folder of its version."""
    async with (
        scripted_registry() as (registry, address),
        inference(tmp_path, address) as client,
    ):
        (version,) = registry.deploy(registry.version([adapter]))
        await client.ready(1)
        wanted = [
            GivenSpans(spans=[GivenSpans.Extent(start=start, end=end) for start, end in spans])
            for spans in given
        ]
        answer = await client.predict(TEXTS, given_spans=wanted)
        files = await exported(client, version)
        assert files == await exported(client, version)
    return list(answer.predictions), written(tmp_path / "export", files)


@pytest.mark.parametrize("adapter", [TONE, TOPICS], ids=["single", "multiple"])
async def test_an_exported_classification_answers_as_the_service(
    tmp_path: Path, adapter: TinyAdapter
) -> None:
    predictions, folder = await served(tmp_path, adapter)
    told = await asyncio.to_thread(run_alone, folder, TEXTS, decoding(CHOOSE))
    assert told["heavy"] == []
    for mine, ((control, chosen, chances),) in zip(predictions, told["found"], strict=True):
        assert control == adapter.manifest.label
        assert set(chosen) == {one.value for one in mine.choices if one.chosen}
        assert {one.value: one.score for one in mine.choices} == pytest.approx(chances, abs=1e-3)
        assert list(chances) == list(adapter.manifest.classes)
    # Different texts are told apart, so that equal answers say something.
    spread = [[*chances.values()] for ((_, _, chances),) in told["found"]]
    assert np.ptp(np.asarray(spread), axis=0).max() > 0.05
    config = json.loads((folder / "config.json").read_bytes())
    assert config["model_type"] == "classification"
    assert config["adapters"] == {adapter.manifest.label: adapter.manifest.digest}
    card = (folder / "README.md").read_text()
    assert "pipeline_tag: text-classification" in card
    (example,) = await printed(folder, TEXT)
    assert [example["control"], example["chosen"], example["probabilities"]] == told["found"][0][0]


async def test_exported_assertions_answer_as_the_service(tmp_path: Path) -> None:
    predictions, folder = await served(tmp_path, tiny_assertion(), SPANS)
    asked = list(zip(TEXTS, SPANS, strict=True))
    told = await asyncio.to_thread(run_alone, folder, asked, decoding(JUDGE))
    assert told["heavy"] == []
    assert sum(map(len, told["found"])) > 100
    for mine, theirs in zip(predictions, told["found"], strict=True):
        assert [(one.start, one.end) for one in mine.assertions] == [
            (start, end) for start, end, _, _ in theirs
        ]
        for one, (_, _, status, chances) in zip(mine.assertions, theirs, strict=True):
            assert {it.status: it.score for it in one.statuses} == pytest.approx(chances, abs=1e-3)
            assert status == one.statuses[0].status
    assert len({status for _, _, status, _ in told["found"][4]}) > 1
    config = json.loads((folder / "config.json").read_bytes())
    assert (config["model_type"], config["statuses"]) == ("assertion", list(STATUSES))
    assert "pipeline_tag" not in (folder / "README.md").read_text()
    example = await printed(folder, TEXT, "3", "15", "17", "29")
    assert [[*one.values()] for one in example] == told["found"][0][1:3]
    model = assertions.ExportedModel(folder)
    for span in ((5, 5), (-1, 3), (0, len(TEXT) + 1)):
        with pytest.raises(ValueError, match=f"\\({span[0]}, {span[1]}\\) is no span of a text"):
            model.predict(TEXT, [(0, 2), span])


def test_controls_of_several_shapes_stand_in_one_graph(tmp_path: Path) -> None:
    adapters = [TONE, TOPICS, tiny_pooled("mood", classes=("x", "y"), seed=3)]
    part = golden_part(adapters)
    assert part.choices is not None
    reader = part.predictor.reader
    wanted = classify(reader, part.choices, reader.prepare(TEXTS))
    folder = written(tmp_path / "export", onnx_files(content_of(*adapters)))
    model = choices.ExportedModel(folder)
    for text, mine in zip(TEXTS, wanted, strict=True):
        found = model.predict(text)
        assert [one.control for one in found] == ["tone", "topics", "mood"]
        for one, other in zip(mine, found, strict=True):
            assert tuple(one.values[place] for place in one.chosen) == other.chosen
            assert one.probabilities == pytest.approx([*other.probabilities.values()], abs=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("head", [Head.CHOICES, Head.ASSERTION])
def test_a_pooled_export_that_answers_otherwise_is_not_given_away(
    head: Head, precision: str
) -> None:
    def adapter(seed: int) -> TinyAdapter:
        return tiny_pooled("assertion", head, STATUSES, seed=seed)

    content = content_of(adapter(1), precision=precision)
    files = onnx_files(content)
    check_export(content, files)
    other = onnx_files(content_of(adapter(2), precision=precision))
    with pytest.raises(ManifestError, match="does not answer as it is served"):
        check_export(content, {**files, "model.onnx": other["model.onnx"]})


@pytest.mark.parametrize("adapter", [TONE, tiny_assertion()], ids=["choices", "assertions"])
async def test_only_what_finds_spans_has_hugging_faces_layout(
    tmp_path: Path, adapter: TinyAdapter
) -> None:
    async with (
        scripted_registry() as (registry, address),
        inference(tmp_path, address) as client,
    ):
        (version,) = registry.deploy(registry.version([adapter]))
        with pytest.raises(aio.AioRpcError, match="Take the layout ONNX") as caught:
            await exported(client, version, layout=EXPORT_LAYOUT_HUGGING_FACE)
        assert received_error(caught.value).reason is Reason.STATE_CONFLICT
        registry.versions[version].model_type = 99  # type: ignore[assignment]
        with pytest.raises(aio.AioRpcError, match="this server does not know") as caught:
            await exported(client, version)
        assert received_error(caught.value).reason is Reason.STATE_CONFLICT


def test_an_export_carries_nothing_but_rules() -> None:
    with pytest.raises(RuntimeError, match="blobs cannot be carried"):
        carried({"decode": "services.inference.engine.loader"}, package=False)
