from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.common.modeling import states as states_module
from services.common.modeling.manifest import ManifestError
from services.common.modeling.onnx.bank import Bank, BankRuntime
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.predictor import TextPredictor
from services.common.modeling.states import WordStateReader, cut_segments
from tests.unit.tiny_trunk import adapter, open_trunk, trunk_files, write_trunk

CPU = ["CPUExecutionProvider"]
TEXTS = ["Ab cd, ef!", "", " ", "\ufffd", "x", "東京 a😀b " * 30, "one two three"]


@pytest.fixture(scope="module")
def trunk() -> TrunkRunner:
    return open_trunk()


@pytest.fixture(scope="module")
def bank(trunk: TrunkRunner) -> Bank:
    runtime = BankRuntime(trunk.manifest, providers=CPU, threads=1)
    labels = [adapter("A", trunk.manifest), adapter("B", trunk.manifest, outside_bias=3.0)]
    return Bank.stack(runtime, labels)


def make(trunk: TrunkRunner, bank: Bank, batch_tokens: int = 4096) -> TextPredictor:
    reader = WordStateReader(trunk, max_length=32, stride=8, batch_tokens=batch_tokens)
    return TextPredictor(reader, bank)


def test_logits_do_not_depend_on_company(trunk: TrunkRunner, bank: Bank) -> None:
    predictor = make(trunk, bank)
    prepared = predictor.prepare(TEXTS)
    together = predictor.logits(prepared)
    for text, logits in zip(prepared, together, strict=True):
        assert logits.shape == (2, len(text.words), 3)
        assert np.isfinite(logits).all()
        np.testing.assert_allclose(logits, predictor.logits([text])[0], atol=2e-5)
    small = make(trunk, bank, batch_tokens=1).logits(prepared)
    for one, other in zip(small, together, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_short_texts_are_not_padded_to_the_longest(
    trunk: TrunkRunner, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = make(trunk, bank)
    lengths = (1, 1, 1, 1, 2, 20, 20, 21)
    prepared = predictor.prepare(["a " * length for length in lengths])
    shapes: list[tuple[int, ...]] = []
    run = trunk.run

    def noted(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        shapes.append(ids.shape)
        return run(ids, mask)

    monkeypatch.setattr(trunk, "run", noted)
    found = predictor.logits(prepared)
    special = trunk.tokenizer.special_count
    # A little padding is cheaper than a run for each length.
    assert shapes == [(5, 2 + special), (3, 21 + special)]
    for text, logits in zip(prepared, found, strict=True):
        np.testing.assert_allclose(logits, predictor.logits([text])[0], atol=2e-5)


def test_spans_lie_on_words_and_are_sorted(trunk: TrunkRunner, bank: Bank) -> None:
    predictor = make(trunk, bank)
    found = predictor.predict(TEXTS)
    assert found[1] == found[2] == found[3] == []
    assert any(found)
    for text, spans in zip(predictor.prepare(TEXTS), found, strict=True):
        starts = {start for start, _ in text.words}
        ends = {end for _, end in text.words}
        assert spans == sorted(spans)
        for span in spans:
            assert span.start in starts
            assert span.end in ends
            assert 0.0 <= span.score <= 1.0


def test_selected_labels_are_those_of_all_labels(trunk: TrunkRunner, bank: Bank) -> None:
    predictor = make(trunk, bank)
    everything = predictor.predict(TEXTS)
    only = predictor.predict(TEXTS, ["B"])
    for spans, wanted in zip(only, everything, strict=True):
        assert [(s.start, s.end) for s in spans] == [
            (s.start, s.end) for s in wanted if s.label == "B"
        ]
    with pytest.raises(KeyError):
        predictor.predict(TEXTS, ["X"])


def test_cutting_a_long_text_changes_nothing(
    trunk: TrunkRunner, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = make(trunk, bank)
    prepared = predictor.prepare(["Ab c, d-ef " * 60])
    whole = predictor.logits(prepared)[0]
    monkeypatch.setattr(states_module, "_WORDS_AT_ONCE", 37)
    np.testing.assert_allclose(predictor.logits(prepared)[0], whole, atol=2e-5)


def test_segments_own_every_word_once(trunk: TrunkRunner) -> None:
    (text,) = WordStateReader(trunk, max_length=32, stride=8).prepare(["a b " * 25])
    segments = cut_segments(text, 7, 3)
    owned = [word for item in segments for word in range(item.own_start, item.own_end)]
    assert owned == list(range(50))
    assert segments[1].start == 4
    assert segments[1].end == 17


def test_a_text_longer_than_a_window_is_seen_to_its_end(trunk: TrunkRunner, bank: Bank) -> None:
    reader = WordStateReader(trunk, max_length=32, stride=8)
    (text,) = reader.prepare(["ab cd " * 100])
    assert len(text.windows) > 5
    assert text.cost > len(text.encoded.ids)
    (states,) = reader.read(cut_segments(text, 10_000, 0))
    assert (np.abs(states.states).sum(axis=(0, 2)) > 0).all()


def test_word_state_is_the_mean_of_first_and_last_piece(trunk: TrunkRunner) -> None:
    reader = WordStateReader(trunk, max_length=32, stride=8)
    (text,) = reader.prepare(["abc d"])
    (states,) = reader.read(cut_segments(text, 100, 0))
    ids = np.asarray([[2, *text.encoded.ids.tolist(), 3]])
    taps = trunk.run(ids, np.ones_like(ids))[:, 0]
    np.testing.assert_allclose(states.states[:, 0], (taps[:, 1] + taps[:, 3]) / 2, atol=1e-6)
    np.testing.assert_allclose(states.states[:, 1], taps[:, 4], atol=1e-6)


def test_opens_a_folder_and_refuses_a_damaged_one(tmp_path: Path) -> None:
    manifest = write_trunk(tmp_path)
    assert TrunkRunner.open_folder(tmp_path, providers=CPU).manifest.digest == manifest.digest
    for name in ("model.onnx", "tokenizer.json", "manifest.json"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[:-1])
        with pytest.raises(ManifestError):
            TrunkRunner.open_folder(tmp_path, providers=CPU)
        (tmp_path / name).unlink()
        with pytest.raises(ManifestError, match="cannot be read"):
            TrunkRunner.open_folder(tmp_path, providers=CPU)
        (tmp_path / name).write_bytes(whole)


def test_refuses_a_model_that_is_no_trunk(trunk: TrunkRunner) -> None:
    import dataclasses

    from services.common.modeling.manifest import FileDigest

    manifest, files = trunk_files()
    wrong = dataclasses.replace(manifest, taps=5)
    with pytest.raises(ManifestError, match="other inputs or outputs"):
        TrunkRunner.open(wrong, files.__getitem__, providers=CPU)
    files["model.onnx"] = b"not a model"
    digests = {name: FileDigest.of(data) for name, data in files.items()}
    with pytest.raises(ManifestError, match="cannot be loaded"):
        TrunkRunner.open(
            dataclasses.replace(manifest, files=digests), files.__getitem__, providers=CPU
        )
