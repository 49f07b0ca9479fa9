from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.modeling.word_features import FEATURE_COUNT, FLAGS, word_features
from services.common.modeling.words import split_words


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in split_words(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \t\n\u00a0", []),
        ("@paulwalk It 's I 'm", ["@paulwalk", "It", "'s", "I", "'m"]),
        ("O'Brien's", ["O'Brien", "'s"]),
        ("Landlord’s (“Tenant”)", ["Landlord", "’s", "(", "“", "Tenant", "”", ")"]),
        (
            "see https://t.co/x?a=b, www.x.org.",
            ["see", "https://t.co/x?a=b", ",", "www.x.org", "."],
        ),
        ("mail a.b@x-y.org!", ["mail", "a.b@x-y.org", "!"]),
        ("#Hash_tag AT&T U.S.", ["#Hash_tag", "AT&T", "U.S", "."]),
        ("$5,000.50 10:30 1/2/2024", ["$", "5,000.50", "10:30", "1/2/2024"]),
        ("30-day and/or", ["30", "-", "day", "and", "/", "or"]),
        ("wait... ____", ["wait", "...", "____"]),
        ("naïve façade İstanbul'da", ["naïve", "façade", "İstanbul'da"]),
        ("e\u0301a x", ["e\u0301a", "x"]),
        ("東京へ", ["東", "京", "へ"]),
        ("👍🏽👍 a\u200db", ["👍🏽", "👍", "a\u200db"]),
    ],
)
def test_splits_as_documented(text: str, words: list[str]) -> None:
    assert split(text) == words


@given(st.text(max_size=200))
def test_words_cover_everything_but_space_once_and_in_order(text: str) -> None:
    words = split_words(text)
    position = 0
    for start, end in words:
        assert position <= start < end <= len(text)
        assert not any(char.isspace() for char in text[start:end])
        position = end
    covered = {i for start, end in words for i in range(start, end)}
    assert all(i in covered for i, char in enumerate(text) if char.isalnum())


def test_features_see_shape_and_neighbours() -> None:
    text = "Visit LONDON @me now"
    features = word_features(text, split_words(text))
    assert features.shape == (4, FEATURE_COUNT)
    assert features.dtype == np.float32
    title, upper, handle = 1, 2, 6
    assert features[0, title] == 1
    assert features[1, upper] == 1
    assert features[2, handle] == 1
    assert features[1, FLAGS + title] == 1  # the word before
    assert features[1, 2 * FLAGS + handle] == 1  # the word after
    assert features[0, FLAGS : 2 * FLAGS].sum() == 0
    assert features[3, 2 * FLAGS :].sum() == 0


def test_shouted_text_is_flagged() -> None:
    shouted, calm = "BUY IT NOW", "Buy it NOW"
    assert word_features(shouted, split_words(shouted))[:, FLAGS - 1].all()
    assert not word_features(calm, split_words(calm))[:, FLAGS - 1].any()


def test_features_of_nothing() -> None:
    assert word_features("", []).shape == (0, FEATURE_COUNT)
