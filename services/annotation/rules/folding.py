"""Case folding that remembers where each folded character came from."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from itertools import chain

INSIDE = -1


@dataclass(frozen=True, kw_only=True)
class Folded:
    """A text without case.

    Attributes:
        text: The folded text; longer than the original where ß became ss.
        origins: For each position in `text`, and its end, the position in the original that it
            begins, or `INSIDE` where it is within the expansion of one character. None: the same.
    """

    text: str
    origins: array[int] | None


def fold(text: str) -> Folded:
    """Fold a text by Unicode's full case folding, character by character.

    Folding knows no context and no language, so parts fold as the whole does.
    """
    if text.isascii():
        return Folded(text=text.lower(), origins=None)
    pieces = [char.casefold() for char in text]
    folded = "".join(pieces)
    if len(folded) == len(text):
        return Folded(text=folded, origins=None)
    marks = (
        (index,) if len(piece) == 1 else (index, *([INSIDE] * (len(piece) - 1)))
        for index, piece in enumerate(pieces)
    )
    return Folded(text=folded, origins=array("q", chain(chain.from_iterable(marks), (len(text),))))
