"""From a text to the trunk's pieces, each tied to the word that it belongs to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from services.common.modeling.documents import ManifestError
from services.common.modeling.words import split_words

# UTF-8 has no lone surrogates; one replacement character each keeps all offsets.
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """All pieces of a text, without special tokens and without truncation.

    Attributes:
        text: The text.
        words: Half-open code-point ranges of its words.
        ids: Vocabulary ids, int64 [pieces].
        starts: Code-point offset at which each piece begins, int64 [pieces].
        ends: Code-point offset at which each piece ends, int64 [pieces].
        word_index: The word in which each piece begins, or -1, int64 [pieces].
        word_initial: Whether the piece is the first that begins in its word, bool [pieces].
        word_pieces: First and last piece of each word, int64 [words, 2]. A word in which no piece
            begins has those of the piece that covers its start, or -1 if there is none either
            (a tokenizer may drop characters).
    """

    text: str
    words: list[tuple[int, int]]
    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    word_index: NDArray[np.int64]
    word_initial: NDArray[np.bool_]
    word_pieces: NDArray[np.int64]


class TextTokenizer:
    """A trunk's tokenizer, with its own truncation and padding switched off."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Use a loaded tokenizer; prefer ``from_bytes``."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        probe = tokenizer.encode("a", add_special_tokens=True)
        special = list(probe.special_tokens_mask)
        inner = [index for index, flag in enumerate(special) if not flag]
        first, last = (inner[0], inner[-1]) if inner else (len(special), len(special))
        self.prefix: list[int] = list(probe.ids[:first])
        """Ids of the special tokens before a window's pieces."""
        self.suffix: list[int] = list(probe.ids[last + 1 :])
        """Ids of the special tokens after a window's pieces."""

    @classmethod
    def from_bytes(cls, tokenizer_json: bytes) -> TextTokenizer:
        """Load ``tokenizer.json``.

        Raises:
            ManifestError: If it is not a tokenizer.
        """
        try:
            tokenizer = Tokenizer.from_str(tokenizer_json.decode())
        except Exception as error:  # the library raises bare Exception on bad JSON
            raise ManifestError("tokenizer.json cannot be loaded") from error
        return cls(tokenizer)

    @property
    def special_count(self) -> int:
        """Special tokens added to each window."""
        return len(self.prefix) + len(self.suffix)

    def encode(self, text: str) -> Encoded:
        """Return all pieces of the text; lone surrogates are read as U+FFFD."""
        return self.encode_many([text])[0]

    def encode_many(self, texts: Sequence[str]) -> list[Encoded]:
        """Encode several texts, in parallel where the tokenizer can."""
        clean = [_SURROGATES.sub("\ufffd", text) for text in texts]
        encodings = self._tokenizer.encode_batch(clean, add_special_tokens=False)
        return [_tie(text, encoding) for text, encoding in zip(clean, encodings, strict=True)]


def _tie(text: str, encoding: Encoding) -> Encoded:
    words = split_words(text)
    ids = np.asarray(encoding.ids, dtype=np.int64)
    offsets = np.asarray(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    starts, ends = offsets[:, 0].copy(), offsets[:, 1]
    # Some tokenizers count the space before a word as part of its first piece.
    for index, (start, end) in enumerate(encoding.offsets):
        while start < end and text[start].isspace():
            start += 1
            starts[index] = start
    word_starts = np.asarray([start for start, _ in words], dtype=np.int64)
    word_ends = np.asarray([end for _, end in words], dtype=np.int64)
    word_index = np.searchsorted(word_starts, starts, side="right") - 1
    word_index[starts >= ends] = -1
    if len(words):
        inside = starts < word_ends[np.maximum(word_index, 0)]
        word_index = np.where(inside, word_index, -1)
    owned = np.flatnonzero(word_index >= 0)
    word_pieces = np.full((len(words), 2), -1, dtype=np.int64)
    # Written backwards and forwards, so that the first and the last piece of each word remain.
    word_pieces[word_index[owned[::-1]], 0] = owned[::-1]
    word_pieces[word_index[owned], 1] = owned
    word_initial = np.zeros(len(ids), dtype=np.bool_)
    firsts = word_pieces[:, 0]
    word_initial[firsts[firsts >= 0]] = True
    for word in np.flatnonzero(firsts < 0):
        cover = int(np.searchsorted(starts, word_starts[word], side="right")) - 1
        if cover >= 0 and starts[cover] <= word_starts[word] < ends[cover]:
            word_pieces[word] = cover
    return Encoded(
        text=text,
        words=words,
        ids=ids,
        starts=starts,
        ends=ends,
        word_index=word_index,
        word_initial=word_initial,
        word_pieces=word_pieces,
    )
