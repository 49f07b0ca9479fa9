"""Tensors of bytes: each element is its length, 4 bytes little-endian, and itself."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

_PREFIX = 4


class TornTensorError(ValueError):
    """The bytes are not a whole number of elements; the message says where they end."""


def pack_bytes(elements: Iterable[bytes]) -> bytes:
    """Return the raw form of a tensor of bytes."""
    return b"".join(
        chain.from_iterable((len(item).to_bytes(_PREFIX, "little"), item) for item in elements)
    )


def unpack_bytes(raw: bytes, most: int) -> list[bytes]:
    """Return the elements of a tensor of bytes.

    Args:
        raw: Its raw form.
        most: Stop behind so many elements; one more is returned when there are more, so that a
            caller sees it without paying for all of them.

    Raises:
        TornTensorError: The bytes end inside an element or its length.
    """
    elements: list[bytes] = []
    place = 0
    while place < len(raw) and len(elements) <= most:
        begin = place + _PREFIX
        if begin > len(raw):
            raise TornTensorError(
                f"ends inside the length of element {len(elements)}: {len(raw) - place} of "
                f"{_PREFIX} bytes are there"
            )
        place = begin + int.from_bytes(raw[place:begin], "little")
        if place > len(raw):
            raise TornTensorError(
                f"ends inside element {len(elements)}: it announces {place - begin} bytes and "
                f"{len(raw) - begin} are left"
            )
        elements.append(raw[begin:place])
    return elements
