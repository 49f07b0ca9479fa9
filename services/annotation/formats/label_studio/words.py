"""Words of pages in a task's data: `ocr_text`, lists of boxes in pixels, one list per page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.annotation.content import Page, Word
from services.annotation.formats.label_studio.places import plain
from services.annotation.formats.label_studio.values import number
from services.annotation.tasks import MAX_WORDS


def sizes_of(
    annotations: Sequence[Mapping[str, Any]],
    images: Sequence[str],
    page_of: Callable[[Mapping[str, Any], int], int],
) -> tuple[Page, ...]:
    """Return the pages with the sizes that results tell; 0 where none does."""
    sizes: dict[int, tuple[int, int]] = {}
    for one in annotations:
        results = one.get("result")
        for result in results if isinstance(results, list) else ():
            if not isinstance(result, dict) or not isinstance(result.get("value"), dict):
                continue
            width, height = result.get("original_width"), result.get("original_height")
            if type(width) is int and type(height) is int and width > 0 and height > 0:
                sizes.setdefault(page_of(result, len(images)), (width, height))
    found = []
    for place, image in enumerate(images, start=1):
        width, height = sizes.get(place, (0, 0))
        found.append(Page(image=image, width=width, height=height))
    return tuple(found)


def words_of(data: Mapping[str, Any], text: str, pages: Sequence[Page]) -> tuple[Word, ...]:
    """Return the words of a page task; none unless all stand in the text, in order, on sized pages.

    What is not returned is not lost: the data is kept as it is.
    """
    listed = data.get("ocr_text")
    if not isinstance(listed, list) or not text or len(listed) > len(pages):
        return ()
    found: list[Word] = []
    behind = 0
    for place, boxes in enumerate(listed, start=1):
        page = pages[place - 1]
        if not isinstance(boxes, list) or not page.width or not page.height:
            return ()
        for box in boxes:
            said = box.get("text") if isinstance(box, dict) else None
            if not isinstance(said, str) or not said or len(found) >= MAX_WORDS:
                return ()
            sides = [number(box.get(key)) for key in ("x", "y", "width", "height")]
            if None in sides:
                return ()
            start = text.find(said, behind)
            x, y, width, height = (one or 0.0 for one in sides)
            if start < 0 or text[behind:start].strip() or min(width, height) < 0:
                return ()
            behind = start + len(said)
            found.append(
                Word(
                    start=start,
                    end=behind,
                    x=100 * x / page.width,
                    y=100 * y / page.height,
                    width=100 * width / page.width,
                    height=100 * height / page.height,
                    page=place,
                )
            )
    return tuple(found)


def ocr_text(
    text: str, words: Sequence[Word], pages: Sequence[Page], omitted: Counter[str]
) -> list[list[dict[str, Any]]]:
    """Return words as the data holds them; empty, and counted, where a page's size is unknown."""
    if not all(pages[one.page - 1].width and pages[one.page - 1].height for one in words):
        omitted["words of pages whose size is unknown"] += len(words)
        return []
    lists: list[list[dict[str, Any]]] = [[] for _ in pages]
    for one in words:
        page = pages[one.page - 1]
        lists[one.page - 1].append(
            {
                "x": _pixels(one.x, page.width),
                "y": _pixels(one.y, page.height),
                "width": _pixels(one.width, page.width),
                "height": _pixels(one.height, page.height),
                "rotation": 0,
                "text": text[one.start : one.end],
            }
        )
    return lists


def _pixels(percent: float, size: int) -> int | float:
    return plain(round(percent * size / 100, 6))
