"""States that stay on the device: the same answers as through the host. The device is the CPU."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from structlog.testing import capture_logs

from services.common.modeling.manifest import TRUNK_FILE, FileDigest, TrunkManifest
from services.common.modeling.onnx import resident as resident_module
from services.common.modeling.onnx.buckets import GraphRuns, nothing_recorded
from services.common.modeling.onnx.resident import ResidentTrunk
from services.common.modeling.onnx.sessions import DeviceOptions
from services.common.modeling.onnx.trunk import TrunkRunner
from services.common.modeling.packing import (
    BankInputs,
    ResidentInputs,
    WordInputs,
    pack_words,
    state_sums,
)
from services.common.modeling.states import Segment, WordStateReader, cut_segments
from tests.unit.tiny_trunk import HIDDEN, TAPS, open_trunk, trunk_files

CPU = ["CPUExecutionProvider"]
TEXTS = ["Ab cd, ef!", "", "\ufffd", "x \ufffd y", "東京 a😀b " * 30, "one two three"]


def resident_trunk() -> TrunkRunner:
    manifest, files = trunk_files()
    return TrunkRunner.open(
        manifest,
        files.__getitem__,
        providers=CPU,
        threads=1,
        device=DeviceOptions(states="device"),
    )


def recording_trunk() -> tuple[TrunkRunner, GraphRuns]:
    """Return a trunk whose runs are recorded, and what records them."""
    manifest, files = trunk_files()
    session = ort.InferenceSession(files[TRUNK_FILE], providers=CPU)
    graphs = GraphRuns(session, manifest, "cpu")
    resident = ResidentTrunk(session, manifest, graphs=graphs)
    return TrunkRunner(manifest, session, open_trunk().tokenizer, resident=resident), graphs


def segments_of(reader: WordStateReader, texts: list[str]) -> list[Segment]:
    return [one for text in reader.prepare(texts) for one in cut_segments(text, 10, 2)]


def reader_of(trunk: TrunkRunner, batch_tokens: int = 4096) -> WordStateReader:
    return WordStateReader(trunk, max_length=32, stride=8, batch_tokens=batch_tokens)


def packed_states(inputs: list[BankInputs] | Any, gap: int = 2) -> NDArray[np.float32]:
    states = pack_words(inputs, gap).states
    return np.asarray(states if isinstance(states, np.ndarray) else states.numpy())


@pytest.mark.parametrize("batch_tokens", [4096, 40, 1])
def test_words_are_those_of_the_host(batch_tokens: int) -> None:
    host, device = reader_of(open_trunk(), batch_tokens), reader_of(resident_trunk(), batch_tokens)
    segments = segments_of(host, TEXTS)
    wanted, found = host.read(segments), device.read_for_banks(segments)
    assert all(isinstance(item, ResidentInputs) for item in found)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one.present, other.present)
        np.testing.assert_array_equal(one.features, other.features)
    np.testing.assert_array_equal(packed_states(found), packed_states(wanted))
    mine, theirs = pack_words(found, 3), pack_words(wanted, 3)
    np.testing.assert_array_equal(mine.mask, theirs.mask)
    assert (mine.offsets, mine.counts) == (theirs.offsets, theirs.counts)
    # Parts of texts, as those around spans, and rows where there is no word.
    parts = [(item.part(1, 4), other.part(1, 4)) for item, other in zip(found, wanted, strict=True)]
    np.testing.assert_array_equal(
        packed_states([one for one, _ in parts]), packed_states([other for _, other in parts])
    )
    # A reader of states on the device gives them to the host too, for who asks.
    for one, other in zip(device.read(segments), wanted, strict=True):
        np.testing.assert_array_equal(one.states, other.states)


@pytest.mark.parametrize("at_once", [1, 7, 1024])
def test_sums_are_those_of_the_host(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident_module, "_SUMMED_AT_ONCE", at_once)
    host, device = reader_of(open_trunk()), reader_of(resident_trunk())
    segments = segments_of(host, TEXTS)
    owned = [(one.own_start - one.start, one.own_end - one.start) for one in segments]
    wanted = state_sums(host.read(segments), owned)
    found = state_sums(device.read_for_banks(segments), owned)
    assert len(found) == len(wanted) == len(segments)
    assert any(np.abs(one).max() > 1 for one in wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert state_sums([], []) == []


def test_no_words_need_no_device() -> None:
    reader = reader_of(resident_trunk())
    inputs = reader.read_for_banks(segments_of(reader, ["", "\ufffd"]))
    assert all(isinstance(item, WordInputs) for item in inputs)
    assert not packed_states(inputs).any()
    # Texts without words that were read beside others, and are packed by themselves.
    found = reader.read_for_banks(segments_of(reader, ["ab", "\ufffd"]))
    nothing = [found[1].part(0, 0), found[1].part(1, 1)]
    assert packed_states(nothing, gap=0).shape == (TAPS, 0, HIDDEN)
    assert not packed_states(nothing, gap=2).any()


def test_states_of_half_precision() -> None:
    manifest, files = trunk_files()
    model = onnx.load_from_string(files[TRUNK_FILE])
    model.graph.node[-1].output[0] = "single"
    cast = helper.make_node("Cast", ["single"], ["taps"], to=TensorProto.FLOAT16)
    model.graph.node.append(cast)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    half = {**files, TRUNK_FILE: model.SerializeToString()}
    digests = {name: FileDigest.of(data) for name, data in half.items()}
    runner = TrunkRunner.open(
        replace(manifest, precision="fp16", files=digests),
        half.__getitem__,
        providers=CPU,
        device=DeviceOptions(states="device"),
    )
    host, device = reader_of(open_trunk()), reader_of(runner)
    segments = segments_of(host, TEXTS)
    found = packed_states(device.read_for_banks(segments))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, packed_states(host.read(segments)), atol=5e-3)
    np.testing.assert_array_equal(found, packed_states(device.read(segments)))


def test_a_state_that_is_no_number_stays_with_its_text() -> None:
    reader = reader_of(resident_trunk())
    words = reader.read_for_banks(segments_of(reader, ["ab", "cd"]))
    assert isinstance(words[0], ResidentInputs)
    value = words[0].words.value.numpy()
    value[:, 0] = np.nan
    broken = replace(words[0].words, value=ort.OrtValue.ortvalue_from_numpy(value))
    states = packed_states([replace(item, words=broken) for item in words], gap=1)
    assert np.isnan(states[:, 0]).all()
    assert not states[:, 1].any()
    assert np.isfinite(states[:, 2]).all()


def test_texts_of_one_run_were_read_together() -> None:
    reader, host = reader_of(resident_trunk()), reader_of(open_trunk())
    segments = segments_of(host, ["ab cd"])
    one, other = (reader.read_for_banks(segments)[0] for _ in range(2))
    (third,) = host.read(segments)
    for texts in ([one, other], [one, third], [third, one]):
        with pytest.raises(ValueError, match="read together"):
            pack_words(texts, 1)
        with pytest.raises(ValueError, match="read together"):
            state_sums(texts, [(0, 1), (0, 1)])


def test_recorded_runs_are_padded_and_say_the_same() -> None:
    trunk, graphs = recording_trunk()
    host, device = reader_of(open_trunk()), reader_of(trunk)
    before: list[tuple[Any, NDArray[np.float32]]] = []
    for texts in (["Ab cd, ef!"], ["x y"], ["one two three"] * 3, ["ab"] * 5, ["東京 a b " * 9]):
        segments = segments_of(host, texts)
        found = device.read_for_banks(segments)
        wanted = packed_states(host.read(segments))
        np.testing.assert_allclose(packed_states(found), wanted, atol=1e-5)
        before.append((found, wanted))
    # Windows by length: 1 x 16 twice, 4 x 32 or so once, 8 x 16, ...
    assert 3 <= graphs.recorded <= 5
    # Later runs overwrote the buffers, but not what was gathered from them.
    for found, wanted in before:
        np.testing.assert_allclose(packed_states(found), wanted, atol=1e-5)
    for found, other in zip(device.read(segments), host.read(segments), strict=True):
        np.testing.assert_allclose(found.states, other.states, atol=1e-5)


def test_padding_has_few_shapes() -> None:
    _, graphs = recording_trunk()

    def shape(windows: int, length: int) -> tuple[int, ...]:
        ids = np.ones((windows, length), dtype=np.int64)
        padded, mask = graphs.fit(ids, ids)
        assert padded.shape == mask.shape
        assert mask[:windows, :length].all()
        assert not mask[:, length:].any()
        assert (mask.sum(axis=1) >= 1).all()
        return padded.shape

    assert shape(1, 3) == shape(1, 16) == (1, 16)
    assert shape(3, 17) == (4, 32)
    # Longer than the trunk reads, more windows or pieces than are recorded: as they are.
    assert shape(1, 65) == (1, 65)
    assert shape(33, 3) == (33, 3)
    assert shape(32, 64) == (32, 64)
    small = GraphRuns(*_session(), "cpu")
    small._lengths = [512]
    ids = np.ones((5, 500), dtype=np.int64)
    assert small.fit(ids, ids)[0].shape == (5, 500)


def _session() -> tuple[ort.InferenceSession, TrunkManifest]:
    manifest, files = trunk_files()
    return ort.InferenceSession(files[TRUNK_FILE], providers=CPU), manifest


def test_nothing_is_recorded_while_somebody_loads() -> None:
    trunk, graphs = recording_trunk()
    host, device = reader_of(open_trunk()), reader_of(trunk)
    segments = segments_of(host, ["ab cd"])
    with nothing_recorded():
        found = packed_states(device.read_for_banks(segments))
        assert graphs.recorded == 0
    np.testing.assert_allclose(found, packed_states(host.read(segments)), atol=1e-5)
    device.read_for_banks(segments)
    assert graphs.recorded == 1
    with nothing_recorded():
        # What is recorded already is run.
        device.read_for_banks(segments)
    # Recordings belong to a thread.
    thread = threading.Thread(target=device.read_for_banks, args=(segments,))
    thread.start()
    thread.join()
    assert graphs.recorded == 2


def test_what_cannot_be_recorded_is_run_without() -> None:
    trunk, graphs = recording_trunk()
    host, device = reader_of(open_trunk()), reader_of(trunk)
    session = graphs._session
    original: Callable[..., None] = session.run_with_iobinding

    def refuse(binding: object, options: ort.RunOptions | None = None) -> None:
        if options is not None and options.get_run_config_entry("gpu_graph_id") != "-1":
            raise RuntimeError("CUDA failure 900: operation not permitted\nat line 1")
        original(binding, options)

    session.run_with_iobinding = refuse
    segments = segments_of(host, ["ab cd"])
    with capture_logs() as logs:
        found = [packed_states(device.read_for_banks(segments)) for _ in range(2)]
    for one in found:
        np.testing.assert_allclose(one, packed_states(host.read(segments)), atol=1e-5)
    assert graphs.recorded == 0
    ids = np.ones((1, 3), dtype=np.int64)
    assert graphs.fit(ids, ids)[0] is ids
    assert logs == [
        {
            "event": "execution_provider_fallback",
            "log_level": "warning",
            "model": "tiny",
            "wanted": "CUDA graphs",
            "why": "CUDA failure 900: operation not permitted",
            "used": "runs that are not recorded",
        }
    ]


def test_threads_share_a_trunk() -> None:
    trunk, _ = recording_trunk()
    host, device = reader_of(open_trunk()), reader_of(trunk)
    texts = [["ab cd"], ["x"], ["one two three"] * 2]
    segments = [segments_of(host, some) for some in texts]
    wanted = [packed_states(host.read(some)) for some in segments]
    failures: list[BaseException] = []

    def read(place: int) -> None:
        try:
            for _ in range(20):
                found = packed_states(device.read_for_banks(segments[place]))
                np.testing.assert_allclose(found, wanted[place], atol=1e-5)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=read, args=(place,)) for place in (0, 1, 2, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert wanted[0].shape[0] == TAPS
