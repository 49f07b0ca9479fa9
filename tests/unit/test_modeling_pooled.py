from __future__ import annotations

import json

import numpy as np
import pytest

from services.common.modeling import assertions, states
from services.common.modeling.adapter import AdapterWeights
from services.common.modeling.assertions import (
    assert_spans,
    span_group,
    status_probabilities,
)
from services.common.modeling.choices import choice_parts, classify, decide_choices
from services.common.modeling.manifest import AdapterManifest, Head, ManifestError
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.pooled import PooledBank, PooledGroup
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.packing import WordInputs
from services.common.modeling.span_windows import span_words
from services.common.modeling.states import PreparedText, WordStateReader, cut_segments
from tests.unit.tiny_trunk import HIDDEN, adapter, adapter_bytes, open_trunk, trunk_files

CPU = ["CPUExecutionProvider"]
TEXTS = ["Ab cd, ef!", "", " ", "x", "東京 a😀b " * 30, "one two three", "No pain, some fever."]
COLOURS = ("blue", "green", "red")
STATUSES = ("absent", "present")


@pytest.fixture(scope="module")
def trunk() -> TrunkRunner:
    return open_trunk()


@pytest.fixture(scope="module")
def reader(trunk: TrunkRunner) -> WordStateReader:
    return WordStateReader(trunk, max_length=32, stride=8)


@pytest.fixture(scope="module")
def runtime(trunk: TrunkRunner) -> BankRuntime:
    return BankRuntime(trunk.manifest, providers=CPU, threads=1)


def choices_adapter(trunk: TrunkRunner, control: str, **options: object) -> AdapterWeights:
    return adapter(control, trunk.manifest, head=Head.CHOICES, **({"classes": COLOURS} | options))


@pytest.fixture(scope="module")
def choices(trunk: TrunkRunner, runtime: BankRuntime) -> PooledBank:
    adapters = [
        choices_adapter(trunk, "colour"),
        choices_adapter(trunk, "topics", classes=("x", "y"), thresholds=(0.2, 0.9), context=2),
        choices_adapter(trunk, "shade"),
    ]
    return PooledBank.stack(runtime, Head.CHOICES, adapters)


@pytest.fixture(scope="module")
def statuses(trunk: TrunkRunner, runtime: BankRuntime) -> PooledBank:
    only = adapter("assertion", trunk.manifest, head=Head.ASSERTION, classes=STATUSES)
    return PooledBank.stack(runtime, Head.ASSERTION, [only])


def whole(reader: WordStateReader, text: PreparedText) -> WordInputs:
    (segment,) = cut_segments(text, max(len(text.words), 1), 0)
    return reader.read([segment])[0]


def test_a_text_is_judged_by_itself(reader: WordStateReader, choices: PooledBank) -> None:
    prepared = reader.prepare(TEXTS)
    together = classify(reader, choices, prepared)
    for text, found in zip(prepared, together, strict=True):
        (alone,) = classify(reader, choices, [text])
        for one, other in zip(found, alone, strict=True):
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)
            assert one.chosen == other.chosen


def test_selected_controls_are_those_of_all(reader: WordStateReader, choices: PooledBank) -> None:
    prepared = reader.prepare(TEXTS)
    selection = choices.indices(["shade", "topics"])
    only = classify(reader, choices, prepared, selection)
    for found, everything in zip(only, classify(reader, choices, prepared), strict=True):
        assert [choice.control for choice in found] == ["shade", "topics"]
        for choice, wanted in zip(found, (everything[2], everything[1]), strict=True):
            np.testing.assert_array_equal(choice.probabilities, wanted.probabilities)
    with pytest.raises(KeyError):
        choices.indices(["size"])


def test_what_is_chosen_follows_the_decoding(reader: WordStateReader, choices: PooledBank) -> None:
    for colour, topics, _ in classify(reader, choices, reader.prepare(TEXTS)):
        assert colour.values == COLOURS
        assert colour.probabilities.sum() == pytest.approx(1.0, abs=1e-5)
        assert colour.chosen == (int(np.argmax(colour.probabilities)),)
        limits = dict(enumerate((0.2, 0.9)))
        assert topics.chosen == tuple(i for i in limits if topics.probabilities[i] >= limits[i])


def test_a_text_without_words_has_the_prior(
    trunk: TrunkRunner, reader: WordStateReader, choices: PooledBank
) -> None:
    empty, blank, alien = classify(reader, choices, reader.prepare(["", "  ", "\ufffd"]))
    bias = choices.adapters[0].tensors["head_bias"]
    prior = np.exp(bias) / np.exp(bias).sum()
    for found in (empty, blank):
        np.testing.assert_allclose(found[0].probabilities, prior, atol=1e-6)
    nothing = WordInputs(
        states=np.zeros((trunk.manifest.taps, 0, HIDDEN), np.float32),
        features=np.zeros((0, choices.adapters[0].manifest.architecture.features), np.float32),
        present=np.zeros(0, dtype=bool),
    )
    np.testing.assert_allclose(choices.run([PooledGroup(inputs=nothing)])[0][0], bias, atol=1e-6)
    assert alien[0].probabilities.sum() == pytest.approx(1.0, abs=1e-5)


def test_cutting_a_long_text_changes_nothing(
    reader: WordStateReader, choices: PooledBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = reader.prepare(["Ab c, d-ef " * 60])
    ((*wanted,),) = classify(reader, choices, [text])
    parts = [
        part
        for segment in cut_segments(text, 20, choices.reach)
        for part in choice_parts(choices, [segment], reader.read([segment]))
    ]
    monkeypatch.setattr(states, "_WORDS_AT_ONCE", 37)
    for found in (decide_choices(choices, parts[::-1]), classify(reader, choices, [text])[0]):
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


def test_words_around_a_segment_are_context_only(
    reader: WordStateReader, choices: PooledBank
) -> None:
    (text,) = reader.prepare(["Ab c, d-ef " * 20])
    (cut, *_) = cut_segments(text, 10, choices.reach)
    everything = whole(reader, text)
    (part,) = choice_parts(choices, [cut], reader.read([cut]))
    (wanted,) = choices.run_sums([PooledGroup(inputs=everything, own=(0, 10))], (0,))
    np.testing.assert_allclose(part.sums[0].value, wanted.value[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(part.sums[0].total, wanted.total[0], rtol=1e-4, atol=1e-4)


def test_spans_are_judged_by_their_window(
    reader: WordStateReader, statuses: PooledBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = reader.prepare(["ab cd, ef " * 100, "", "No pain, some fever."])
    spans = [[(900, 905), (0, 2), (3, 5), (450, 480), (2, 3), (3, 5)], [(0, 0)], [(3, 7), (14, 19)]]
    found = assert_spans(reader, statuses, texts, spans)
    assert [rows.shape for rows in found] == [(6, 2), (1, 2), (2, 2)]
    for text, items, rows in zip(texts, spans, found, strict=True):
        assert rows.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
        if not text.words:
            continue
        inputs = whole(reader, text)
        groups = [span_group(inputs, *span_words(text.words, *span)) for span in items]
        wanted = status_probabilities(statuses, groups)
        np.testing.assert_allclose(rows, wanted, atol=1e-5)
    # Spans are told apart, equal ones are not.
    assert abs(found[0][1] - found[0][2]).max() > 1e-4
    np.testing.assert_allclose(found[0][2], found[0][5], atol=1e-6)
    monkeypatch.setattr(assertions, "_WORDS_AT_ONCE", 60)
    for rows, wanted in zip(assert_spans(reader, statuses, texts, spans), found, strict=True):
        np.testing.assert_allclose(rows, wanted, atol=1e-5)


def test_neighbouring_spans_run_the_trunk_once(
    reader: WordStateReader, statuses: PooledBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    (text,) = reader.prepare(["ab cd ef gh"])
    runs = []
    run = reader.trunk.run
    monkeypatch.setattr(
        reader.trunk, "run", lambda ids, mask: runs.append(len(ids)) or run(ids, mask)
    )
    assert_spans(reader, statuses, [text], [[(0, 2), (3, 5), (6, 8)]])
    assert runs == [1]


def test_the_words_of_a_span() -> None:
    words = [(0, 2), (3, 5), (7, 9)]
    assert span_words(words, 0, 2) == (0, 1)
    assert span_words(words, 1, 4) == (0, 2)
    assert span_words(words, 5, 7) == (2, 2)
    assert span_words(words, 5, 8) == (2, 3)
    assert span_words(words, 9, 20) == (3, 3)
    assert span_words([], 0, 1) == (0, 0)


def test_banks_refuse_adapters_of_another_head(trunk: TrunkRunner, runtime: BankRuntime) -> None:
    tags = adapter("A", trunk.manifest)
    control = choices_adapter(trunk, "colour")
    with pytest.raises(ManifestError, match="'colour' answers choices, not tags"):
        Bank.stack(runtime, [tags, control])
    with pytest.raises(ManifestError, match="'A' answers tags, not choices"):
        PooledBank.stack(runtime, Head.CHOICES, [control, tags])
    with pytest.raises(ManifestError, match="two adapters"):
        PooledBank.stack(runtime, Head.CHOICES, [control, control])


def test_manifests_of_other_heads_round_trip() -> None:
    trunk, _ = trunk_files()
    for options in (
        {"head": Head.CHOICES, "classes": COLOURS},
        {"head": Head.CHOICES, "classes": COLOURS, "thresholds": (0.5, 0.25, 1.0)},
        {"head": Head.ASSERTION, "classes": STATUSES},
    ):
        data, _ = adapter_bytes("x", trunk, **options)  # type: ignore[arg-type]
        manifest = AdapterManifest.from_bytes(data)
        assert manifest.to_bytes() == data
        assert manifest.classes == options["classes"]
        assert manifest.decoding.thresholds == options.get("thresholds", ())


def test_a_manifest_of_tags_says_nothing_of_heads() -> None:
    trunk, _ = trunk_files()
    document = json.loads(adapter_bytes("A", trunk)[0])
    assert "classes" not in document
    assert set(document["decoding"]) == {"outside_bias", "scheme"}
    assert set(document["architecture"]) == {
        "context",
        "features",
        "hidden_size",
        "kind",
        "taps",
        "width",
    }


@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("architecture", {"head": "tags"}, "head"),
        ("architecture", {"head": 1}, "head"),
        ("architecture", {"classes": 0}, "classes"),
        ("architecture", {"classes": 2}, "one number|one distinct"),
        ("decoding", {"scheme": "bio"}, "scheme"),
        ("decoding", {"thresholds": [0.5]}, "thresholds"),
        ("decoding", {"thresholds": [0.5, 0.5, 1.5]}, "thresholds"),
        ("decoding", {"thresholds": "x"}, "thresholds"),
        ("", {"classes": ["a", "a", "b"]}, "distinct"),
        ("", {"classes": ["a", "", "b"]}, "classes"),
        ("", {"model_type": "ner"}, "model_type"),
    ],
)
def test_refuses_wrong_heads(part: str, change: dict[str, object], message: str) -> None:
    trunk, _ = trunk_files()
    data, _ = adapter_bytes(
        "x", trunk, head=Head.CHOICES, classes=COLOURS, thresholds=(0.5, 0.5, 0.5)
    )
    document = json.loads(data)
    (document[part] if part else document).update(change)
    with pytest.raises(ManifestError, match=message):
        AdapterManifest.from_bytes(json.dumps(document).encode())
