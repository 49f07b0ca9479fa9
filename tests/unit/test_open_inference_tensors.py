"""The codec of BYTES tensors, and what of a request is refused, by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgumentError
from services.common.offsets import OffsetEncoding
from services.inference.oip.convert import infer_request
from services.inference.oip.metadata import OUTPUT_NAMES
from services.inference.oip.request import Question, question_of
from services.inference.oip.tensors import TornTensorError, pack_bytes, unpack_bytes
from spanloop.inference.oip.v2 import open_inference_service_pb2 as pb

ELEMENTS = st.lists(st.binary(max_size=300), max_size=20)


@given(ELEMENTS)
def test_what_is_packed_is_unpacked(elements: list[bytes]) -> None:
    raw = pack_bytes(elements)
    assert len(raw) == sum(4 + len(item) for item in elements)
    assert unpack_bytes(raw, len(elements)) == elements


@given(ELEMENTS.filter(bool), st.data())
def test_what_is_cut_is_torn_or_shorter(elements: list[bytes], data: st.DataObject) -> None:
    raw = pack_bytes(elements)
    cut = data.draw(st.integers(0, len(raw) - 1))
    try:
        found = unpack_bytes(raw[:cut], len(elements))
    except TornTensorError as error:
        assert "ends inside" in str(error)  # noqa: PT017
    else:
        # Only where an element ends.
        assert found == elements[: len(found)]
        assert pack_bytes(found) == raw[:cut]


@given(st.binary(max_size=500), st.integers(0, 10))
def test_any_bytes_are_elements_or_torn(raw: bytes, most: int) -> None:
    try:
        found = unpack_bytes(raw, most)
    except TornTensorError:
        return
    assert len(found) <= most + 1
    assert raw.startswith(pack_bytes(found))


def test_no_more_than_asked_is_unpacked() -> None:
    assert unpack_bytes(pack_bytes([b""] * 1000), 2) == [b""] * 3


def request(*raw: bytes, **fields: object) -> pb.ModelInferRequest:
    made = pb.ModelInferRequest(model_name="p", raw_input_contents=raw, **fields)  # type: ignore[arg-type]
    if not made.inputs:
        made.inputs.add(name="text", datatype="BYTES", shape=[1])
    return made


def asked(message: pb.ModelInferRequest) -> Question:
    return question_of(infer_request(message))


def test_raw_and_typed_contents_ask_the_same() -> None:
    raw = request(pack_bytes([b"a b", "東京".encode()]))
    raw.inputs[0].shape[:] = [2]
    typed = request()
    typed.inputs[0].shape[:] = [2]
    typed.inputs[0].contents.bytes_contents.extend([b"a b", "東京".encode()])
    assert asked(raw) == asked(typed)
    assert asked(raw).texts == ["a b", "東京"]
    assert asked(raw).outputs == OUTPUT_NAMES


def test_names_and_parameters_are_read() -> None:
    message = request(pack_bytes([b"a"]), pack_bytes([b"X", b"Y", b"X"]), pack_bytes([b"C"]))
    message.inputs.add(name="labels", datatype="BYTES", shape=[3])
    message.inputs.add(name="controls", datatype="BYTES", shape=[1])
    message.parameters["min_score"].double_param = 0.25
    message.parameters["top_n"].int64_param = 1
    message.parameters["offset_encoding"].string_param = "utf16"
    message.outputs.add(name="score")
    message.outputs.add(name="row")
    question = asked(message)
    assert (question.labels, question.controls) == (["X", "Y"], ["C"])
    assert question.outputs == ["score", "row"]
    wish = question.wish
    assert (wish.min_score, wish.top_n, wish.encoding) == (0.25, 1, OffsetEncoding.UTF16)


def changed(change: str) -> pb.ModelInferRequest:
    """Return a good request after one change."""
    good = request(pack_bytes([b"a"]))
    scope = {"r": good, "pack": pack_bytes}
    exec(change, scope)
    return good


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ("r.inputs[0].datatype = 'INT64'", "text", "has datatype 'INT64'; send BYTES"),
        ("r.inputs[0].shape[:] = [1, 1]", "text", r"has shape \[1, 1\]; send one dimension"),
        ("r.inputs[0].shape[:] = []", "text", r"has shape \[\]"),
        ("r.inputs[0].shape[:] = [-1]", "text", r"has shape \[-1\]"),
        ("r.inputs[0].shape[:] = [2]", "text", r"has shape \[2\] and 1 elements"),
        ("r.raw_input_contents[0] = pack([b'a'] * 9)", "text", r"\[1\] and more than 1 elements"),
        ("r.raw_input_contents[0] = b'abc'", "text", "inside the length of element 0: 3 of 4"),
        (
            "r.raw_input_contents[0] = b'\\x09\\0\\0\\0abc'",
            "text",
            "inside element 0: it announces 9 bytes and 3 are left",
        ),
        ("r.raw_input_contents[0] = pack([b'ab\\xff'])", r"text[0]", "is not UTF-8 at byte 2"),
        ("r.inputs[0].shape[:] = [0]; r.raw_input_contents[0] = b''", "text", "1 to 1024 entries"),
        ("r.inputs[0].shape[:] = [2000]", "text", "has 2000 elements; at most 1024"),
        (
            "r.raw_input_contents[0] = pack([b'a' * 1_000_001])",
            "text[0]",
            "has 1000001 code points",
        ),
        ("r.inputs[0].name = 'words'", "inputs", "'words' is unknown; there are: text, labels"),
        ("r.inputs[0].name = 'labels'", "text", "is required"),
        (
            "r.inputs.append(r.inputs[0]); r.raw_input_contents.append(r.raw_input_contents[0])",
            "text",
            "is there twice",
        ),
        ("r.inputs.append(r.inputs[0])", "raw_input_contents", "has 1 entries for 2 inputs"),
        ("r.inputs[0].contents.bytes_contents.append(b'a')", "text", "has `contents` beside"),
        ("r.raw_input_contents[:] = []", "text", r"has shape \[1\] and 0 elements"),
        (
            "r.inputs[0].parameters['shared_memory_region'].string_param = 'x'",
            "text",
            "'shared_memory_region' is not taken",
        ),
        ("r.outputs.add(name='spans')", "outputs", "'spans' is unknown; there are: row, start"),
        ("r.outputs.add(name='row'); r.outputs.add(name='row')", 'outputs["row"]', "twice"),
        (
            "r.outputs.add(name='row').parameters['classification'].int64_param = 3",
            'outputs["row"]',
            "'classification' is not taken",
        ),
        ("r.parameters['priority'].uint64_param = 1", "parameters", "'priority' is not taken"),
        (
            "r.parameters['min_score'].string_param = '0.5'",
            'parameters["min_score"]',
            "must be a number",
        ),
        ("r.parameters['min_score'].bool_param = True", 'parameters["min_score"]', "a number"),
        ("r.parameters['min_score'].double_param = 2", 'parameters["min_score"]', "from 0.0 to"),
        ("r.parameters['top_n'].double_param = 1", 'parameters["top_n"]', "a whole number"),
        ("r.parameters['top_n'].int64_param = -1", 'parameters["top_n"]', "at least 0"),
        ("r.parameters['top_n'].Clear()", 'parameters["top_n"]', "a whole number"),
        (
            "r.parameters['offset_encoding'].string_param = 'utf32'",
            'parameters["offset_encoding"]',
            "one of: code_point, utf8, utf16",
        ),
    ],
)
def test_refusals_name_what_is_wrong(change: str, field: str, says: str) -> None:
    with pytest.raises(InvalidArgumentError, match=says) as refusal:
        asked(changed(change))
    assert [violation.field for violation in refusal.value.violations] == [field]
