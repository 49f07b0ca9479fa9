from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgumentError, Reason
from services.common.paging import (
    DEFAULT_PAGE,
    MAX_PAGE,
    Page,
    find_page,
    next_token,
    parse_page,
)
from services.common.store.port import Collection, Eq, Index, Order
from services.common.store.sqlite import SqliteStore

scalars = (
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@given(st.lists(scalars, min_size=1, max_size=4), st.text())
def test_token_round_trip(position: list[str | int | float], scope: str) -> None:
    token = next_token(position, scope)
    assert parse_page(0, token, scope) == Page(size=DEFAULT_PAGE, after=position)


@pytest.mark.parametrize(
    ("asked", "given"), [(0, DEFAULT_PAGE), (1, 1), (MAX_PAGE, MAX_PAGE), (MAX_PAGE + 1, MAX_PAGE)]
)
def test_sizes(asked: int, given: int) -> None:
    assert parse_page(asked, "", "s") == Page(size=given, after=None)


def test_a_forged_token_with_a_truth_value_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_page(0, next_token([True], "s"), "s")
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


def test_negative_size() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_page(-1, "", "s")
    assert caught.value.reason is Reason.FIELD_INVALID
    assert caught.value.metadata["field"] == "page_size"


GOOD = next_token(["x", 1], "ListTasks|projects/p|")


def refused(token: str, scope: str = "ListTasks|projects/p|") -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_page(0, token, scope)
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


def test_token_of_another_list() -> None:
    refused(GOOD, "ListTasks|projects/q|")


@pytest.mark.parametrize(
    "token", ["x", "é", "=", "A" * 10_000, GOOD + "A", GOOD[:-1], GOOD[1:], "\0"]
)
def test_rubbish(token: str) -> None:
    refused(token)


@given(st.text(max_size=60))
def test_random_tokens(token: str) -> None:
    if token:
        refused(token)


@given(st.integers(0, len(GOOD) * 6 - 1))
def test_no_bit_can_be_flipped(bit: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(GOOD + "=" * (-len(GOOD) % 4)))
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    refused(base64.urlsafe_b64encode(raw).rstrip(b"=").decode())


@pytest.mark.parametrize(
    "payload", [[], [None], [[1]], [2**63], ["\0"], ["\ud800"], [float("nan")]]
)
def test_forged_positions(payload: list[object]) -> None:
    """Anyone can compute the checksum."""
    refused(next_token(payload, "s"), "s")  # type: ignore[arg-type]  # forged


async def test_find_page_visits_every_document_once(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    order = [Order(field="n", descending=True)]
    await store.open([Collection(name="c", indexes=(Index(fields=("kind", "n")),))])
    try:
        for number in range(7):
            body = {"kind": "k", "n": number // 2}
            await store.insert("c", f"id{number}", body)
        await store.insert("c", "other", {"kind": "o", "n": 9})
        for size in range(1, 9):
            seen: list[str] = []
            token = ""
            while True:
                page = parse_page(size, token, "scope")
                found, token = await find_page(store, "c", [Eq("kind", "k")], order, page, "scope")
                seen += [document.id for document in found]
                assert len(found) <= size
                if not token:
                    break
                assert len(found) == size
            assert seen == ["id6", "id4", "id5", "id2", "id3", "id0", "id1"]
        for forged in ([1], ["a", "b", "c"], ["a", 1]):
            with pytest.raises(InvalidArgumentError):
                await find_page(store, "c", [], order, Page(size=1, after=forged), "scope")
    finally:
        await store.close()
