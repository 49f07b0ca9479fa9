"""Tags that mark spans over tokens in spaCy's JSON: Begin, In, Last, Unit, Out."""

from __future__ import annotations

from collections.abc import Sequence

from services.common.errors import Reason, invalid_field

MISSING = frozenset({"", "-"})


def spans_of(
    tags: Sequence[str], fields: Sequence[str], *, repair: bool
) -> tuple[list[tuple[int, int, str]], list[str]]:
    """Return spans as first token, token behind and label, and what was repaired.

    Args:
        tags: A tag for each token: ``O``, ``-`` (unknown), or a letter, a hyphen and a label. IOB
            tags, which say neither L nor U, are read as well.
        fields: The path of each tag.
        repair: Read a tag that continues or ends nothing as the begin of a span, and end a span
            that nothing ends before the next one.

    Raises:
        InvalidArgumentError: TAGS_INCONSISTENT when `repair` is off; FIELD_INVALID for what is no
            tag.
    """
    spans: list[tuple[int, int, str]] = []
    notes: list[str] = []
    iob = not any(tag[:2] in ("L-", "U-", "E-", "S-") for tag in tags)
    open_at, open_label = -1, ""

    def fault(index: int, what: str) -> None:
        if not repair:
            raise invalid_field(
                fields[index], f"{what}: correct the tags.", reason=Reason.TAGS_INCONSISTENT
            )
        notes.append(f"{fields[index]}: {what}; repaired.")

    def close(index: int) -> None:
        nonlocal open_at
        if open_at >= 0:
            if not iob:
                fault(index - 1, f"{tags[index - 1]} is not followed by the end of its span")
            spans.append((open_at, index, open_label))
        open_at = -1

    for index, tag in enumerate(tags):
        if tag == "O" or tag in MISSING:
            close(index)
            continue
        letter, hyphen, label = tag.partition("-")
        if letter not in ("B", "I", "L", "U", "E", "S") or not hyphen or not label:
            raise invalid_field(fields[index], f"{tag[:100]!r} is no tag: write O or B-LABEL.")
        if letter in "BUS":
            close(index)
        elif open_at < 0 or label != open_label:
            close(index)
            fault(index, f"{tag} continues no span")
            letter = "B" if letter == "I" else "U"
        if letter in "US":
            spans.append((index, index + 1, label))
        elif letter == "B":
            open_at, open_label = index, label
        elif letter in "LE":
            spans.append((open_at, index + 1, label))
            open_at = -1
    close(len(tags))
    return spans, notes


def tags_of(count: int, spans: Sequence[tuple[int, int, str]]) -> list[str]:
    """Return the tags of `count` tokens for spans that do not overlap."""
    tags = ["O"] * count
    for first, behind, label in spans:
        if behind - first == 1:
            tags[first] = f"U-{label}"
            continue
        tags[first:behind] = [f"I-{label}"] * (behind - first)
        tags[first], tags[behind - 1] = f"B-{label}", f"L-{label}"
    return tags
