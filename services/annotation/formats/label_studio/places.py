"""The part of a result's value that says where it lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.annotation.content import Page, Region
from services.annotation.formats.label_studio.entries import BOX_KEYS

_PIXELS = {"x_px": "width", "y_px": "height", "width_px": "width", "height_px": "height"}


def box_value(region: Region, pages: Sequence[Page], kept: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of a region: what was kept of it, with its rectangle as it is now."""
    value = dict(kept) | {key: plain(getattr(region, key)) for key in BOX_KEYS}
    page = page_of(region, pages)
    for key, side in _PIXELS.items():
        size = getattr(page, side) if page else 0
        if key in value and size:
            now = getattr(region, key.removesuffix("_px")) * size / 100
            former = value[key]
            # Rounded in the file; anything further off is where the region was before a change.
            if type(former) not in (int, float) or abs(former - now) > 1:
                value[key] = round(now)
    return value


def page_keys(region: Region, pages: Sequence[Page], *, numbered: bool) -> dict[str, Any]:
    """Return what a new result says about the page of its region.

    Args:
        region: The region.
        pages: Of the task.
        numbered: Whether pages count from 1, as `pageNumber`, instead of from 0.
    """
    page = page_of(region, pages)
    found: dict[str, Any] = {}
    if page and page.width and page.height:
        found = {
            "original_width": page.width,
            "original_height": page.height,
            "image_rotation": 0,
        }
    if numbered:
        found["pageNumber"] = region.page
    elif region.page > 1:
        found["item_index"] = region.page - 1
    return found


def page_of(region: Region, pages: Sequence[Page]) -> Page | None:
    """Return the page of a region, if the task has it."""
    return pages[region.page - 1] if 0 < region.page <= len(pages) else None


def plain(value: float) -> int | float:
    """Return a whole number without its fraction, as both tools write it."""
    return int(value) if value.is_integer() else value
