"""Splits a text into the words that labels attach to, independently of any trunk's tokenizer."""

from __future__ import annotations

import re
import unicodedata

WORD_SPLITTER = "words-v1"
"""Version of the rules below; part of every adapter's manifest, since adapters learn with it."""

# Scripts written without spaces: each character (with its marks) is a word of its own.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)

# The rules work on a skeleton of the same length: ASCII stays (lower-cased), everything else
# becomes one class character. Upper-case class characters cannot collide with lower-cased ASCII.
_LETTER, _MARK, _UNSPACED_CLASS, _SYMBOL = "L", "M", "C", "S"

_PATTERN = re.compile(
    r"""
      (?:https?://|www\.)[^\s]+?(?=[.,;:!?"')\]>]*(?:\s|$))        # web address without end marks
    | [a-z0-9LM][a-z0-9LM._+-]*@[a-z0-9LM-]+(?:\.[a-z0-9LM-]+)*\.[a-zLM]+  # mail address
    | (?<![a-z0-9LM_])[@\#][a-z0-9LM_]+                            # @handle, #hashtag
    | '(?:s|m|re|ve|ll|d)(?![a-z0-9LM_])                           # 's of "it's"
    | [0-9]+(?:[.,:/][0-9]+)+                                      # 1,000.50  10:30  1/2/2024
    | [a-z0-9LM]+(?:(?:'(?!(?:s|m|re|ve|ll|d)(?![a-z0-9LM]))|[.&_])[a-z0-9LM]+)*  # O'Brien AT&T U.S
    | CM*
    | ([.\-_=*!?~+\#])\1*                                          # a run of one mark, as "..."
    | [^\s]M*
    """,
    re.VERBOSE,
)


class _Classes(dict[int, str]):
    """Maps a code point to its class character, computed at first use."""

    def __missing__(self, code: int) -> str:
        value = _class_of(code)
        self[code] = value
        return value


def _class_of(code: int) -> str:
    char = chr(code)
    if code < 128:
        # Control characters separate words as spaces do.
        return char.lower() if code > 32 and code != 127 else " "
    if char in "\u2018\u2019\u02bc":
        return "'"
    category = unicodedata.category(char)
    if category[0] == "M" or code == 0x200D:
        return _MARK
    if category[0] == "Z" or category in {"Cc", "Cf"}:
        return " "
    if category[0] == "L":
        spaced = not any(first <= code <= last for first, last in _UNSPACED)
        return _LETTER if spaced else _UNSPACED_CLASS
    if category[0] == "N":
        return "0" if category == "Nd" else _LETTER
    if 0x1F3FB <= code <= 0x1F3FF:  # skin tones belong to the emoji before them
        return _MARK
    return _SYMBOL


_CLASSES = _Classes()


def split_words(text: str) -> list[tuple[int, int]]:
    """Return the words of a text as half-open code-point ranges, in order, without overlap.

    Words never contain white space. Punctuation is split off, so that a span can begin or end at
    any bracket, quote, hyphen or sign; web and mail addresses, handles, hashtags, numbers with
    separators and names such as ``O'Brien`` stay whole. Characters of scripts without spaces are
    words of their own.

    Args:
        text: Any text, also empty.

    Returns:
        The ranges; empty for a text of white space.
    """
    return [match.span() for match in _PATTERN.finditer(text.translate(_CLASSES))]
