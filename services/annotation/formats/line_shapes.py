"""Telling formats of lines apart by their first lines."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from services.annotation.formats.records import TaskFormat

_TAG = r"(?:O|[BIESLUM]-\S.*)"
_TAGS = re.compile(_TAG)
_NAMED = re.compile(r"O|[BIESLU]-\S+")
_BLANK = re.compile(r"\s")
# Between the columns of CoNLL files without tabs and blanks.
_SIGNS = (",", "|", ";")
_NEARLY_ALL = 0.9
_GERMEVAL = re.compile(r"\d+\t[^\t]+\t(?:O|[BI]-[^\t]+)\t(?:O|[BI]-[^\t]+)")
_WEBANNO = re.compile(r"\d+-\d+(?:\.\d+)?\t")
_PIPED = re.compile(rf"[^\s|]+(?:\|[^\s|]*)?\|{_TAG}")
_HEADERS = frozenset(
    (
        "text",
        "label",
        "labels",
        "sentence",
        "content",
        "document",
        "comment",
        "review",
        "category",
        "class",
        "tag",
        "utterance",
        "intent",
        "column_data",
        "column_label",
        "id",
        "external_id",
        "split",
    )
)
_COLUMN_NAMES = (".conll", ".iob", ".bio", ".iob2", ".bioes")
_TEXT_NAMES = ("", ".txt", ".text")


def shape_of(lines: Sequence[str], extension: str, separator: str = "") -> TaskFormat | None:
    """Return the format of a file that begins with these lines, or None.

    Args:
        lines: Its first lines, the last one complete.
        extension: Of its name, with the dot, in lower case; may be empty.
        separator: Between its columns, if it was named.
    """
    filled = [line for line in lines if line.strip()]
    if not filled:
        return None
    data = [line for line in filled if not line.lstrip().startswith("#")]
    first = filled[0].lstrip()
    if first.startswith("-DOCSTART-"):
        return TaskFormat.CONLL
    if first.startswith("#FORMAT=WebAnno TSV") or (
        first.startswith("#") and _share(_WEBANNO, data, start=True) > 0.8
    ):
        return TaskFormat.WEBANNO_TSV
    if _share(_GERMEVAL, data) > 0.8:
        return TaskFormat.GERMEVAL
    if sum(line.startswith("__label__") for line in data) * 2 >= max(1, len(data)):
        return TaskFormat.FASTTEXT
    signs = (separator,) if separator.strip() else _SIGNS
    if any(_has_tags_behind(sign, filled) for sign in signs):
        return TaskFormat.CONLL
    words = [word for line in filled[:20] for word in line.split()]
    if sum(_PIPED.fullmatch(word) is not None for word in words) > 0.8 * len(words):
        return TaskFormat.SPACY_IOB
    tokens = [line for line in filled if not line.startswith("-DOCSTART-")]
    rows = [line for line in tokens if not line.startswith("#") or _is_tagged(line)]
    share = sum(map(_is_tagged, rows)) / len(rows) if rows else 0.0
    if share > 0.8 or (share > 0.5 and extension in _COLUMN_NAMES):
        return TaskFormat.CONLL
    if extension == ".csv" or _is_table(filled, extension, separator):
        return TaskFormat.CSV
    if extension in _COLUMN_NAMES:
        return TaskFormat.CONLL  # whose reader says of each line what is missing
    return TaskFormat.TEXT if extension in _TEXT_NAMES else None


def _share(pattern: re.Pattern[str], lines: Sequence[str], start: bool = False) -> float:
    match = pattern.match if start else pattern.fullmatch
    return sum(match(line) is not None for line in lines) / len(lines) if lines else 0.0


def _is_tagged(line: str) -> bool:
    """Whether a line has columns of which the last one is a tag."""
    line = line.rstrip()
    before, separator, tag = line.rpartition("\t" if "\t" in line else " ")
    return bool(separator and before.strip()) and _TAGS.fullmatch(tag) is not None


def _has_tags_behind(sign: str, filled: Sequence[str]) -> bool:
    """Whether nearly every line is a word and its tag with this sign in between, as in CoNLL.

    Tables of texts have blanks in them, and classes that seldom look like tags.
    """
    rows = [line.split(sign) for line in filled if not line.startswith(("-DOCSTART-", "# "))]
    if rows and not _TAGS.fullmatch(rows[0][-1]):
        rows = rows[1:]  # it may name the columns
    tagged = [
        row
        for row in rows
        if len(row) > 1 and row[0] and _NAMED.fullmatch(row[-1]) and not _BLANK.search("".join(row))
    ]
    marked = any(row[-1] != "O" for row in tagged)
    return len(rows) > 1 and marked and len(tagged) > _NEARLY_ALL * len(rows)


def _is_table(lines: Sequence[str], extension: str, known: str) -> bool:
    """Whether the first line names columns that the next ones have."""
    for separator in known if len(known) == 1 and known not in '\r\n"' else "\t,;":
        try:
            rows = list(csv.reader(lines[:20], delimiter=separator))
        except csv.Error:
            continue  # e.g. a field that is longer than any table has
        names = {name.strip().casefold() for name in rows[0]}
        if len(rows[0]) < 2 or not names & _HEADERS:
            continue
        alike = sum(len(row) == len(rows[0]) for row in rows[1:])
        if len(names & _HEADERS) > 1 or extension == ".tsv" or (alike and alike == len(rows) - 1):
            return True
    return False
