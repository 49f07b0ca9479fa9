from __future__ import annotations

import pytest

from services.common.modeling.manifest import ManifestError
from services.common.modeling.tokenisation import TextTokenizer
from tests.unit.tiny_trunk import tokenizer_json


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer.from_bytes(tokenizer_json())


def test_finds_the_special_tokens(tokenizer: TextTokenizer) -> None:
    assert (tokenizer.prefix, tokenizer.suffix, tokenizer.special_count) == ([2], [3], 2)


def test_ties_pieces_to_words(tokenizer: TextTokenizer) -> None:
    encoded = tokenizer.encode("ab O'c, 東京")
    words = [encoded.text[start:end] for start, end in encoded.words]
    assert words == ["ab", "O'c", ",", "東", "京"]
    # The tokenizer cuts O'c at the apostrophe; our words decide what belongs together.
    assert encoded.word_index.tolist() == [0, 0, 1, 1, 1, 2, 3, 4]
    assert encoded.word_pieces.tolist() == [[0, 1], [2, 4], [5, 5], [6, 6], [7, 7]]
    assert encoded.word_initial.tolist() == [True, False, True, False, False, True, True, True]


def test_words_that_share_a_piece_use_it(tokenizer: TextTokenizer) -> None:
    # The whole chunk is unknown to the tokenizer: one [UNK] piece for several of our words.
    encoded = tokenizer.encode("a ばび b")
    assert len(encoded.words) == 4
    shared = encoded.word_pieces[1].tolist()
    assert encoded.word_pieces[2].tolist() == shared
    assert encoded.ids[shared[0]] == 1


def test_a_dropped_character_leaves_its_word_without_pieces(tokenizer: TextTokenizer) -> None:
    # The normalizer removes U+FFFD, which is a word (a symbol) of its own for us.
    encoded = tokenizer.encode("a \ufffd b")
    assert encoded.word_pieces.tolist() == [[0, 0], [-1, -1], [1, 1]]


def test_long_texts_are_not_truncated_and_astral_offsets_hold(tokenizer: TextTokenizer) -> None:
    text = "😀 ab " * 2000
    encoded = tokenizer.encode(text)
    assert encoded.ends[-1] == len(text) - 1
    assert len(encoded.words) == 4000


def test_lone_surrogates_keep_offsets(tokenizer: TextTokenizer) -> None:
    encoded = tokenizer.encode("a\ud800 b")
    assert encoded.words[-1] == (3, 4)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_nothing(tokenizer: TextTokenizer, text: str) -> None:
    encoded = tokenizer.encode(text)
    assert len(encoded.ids) == 0
    assert encoded.word_pieces.shape == (0, 2)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xff"])
def test_refuses_what_is_no_tokenizer(data: bytes) -> None:
    with pytest.raises(ManifestError):
        TextTokenizer.from_bytes(data)
