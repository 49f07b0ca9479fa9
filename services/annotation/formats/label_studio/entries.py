"""Results of an annotation as they stand in a file, reduced to what the content does not say.

`extra` keeps one entry per result, in the file's order, so that an export writes the file's own
results again, with what was changed since. An entry is ``{"raw": RESULT}`` for a result that means
nothing here, else it names what it stands for:

- ``span``: ids of the spans of a text result, one per label;
- ``assert``: ids of the spans whose assertion it gives;
- ``box`` with ``part``: id of a region, and which of its results it is (``labels``, ``rectangle``,
  ``text``);
- ``attr`` with ``of``: name of an attribute and the ids of its spans, or of its region;
- ``choices``: name of a control; ``relation``: id of a relation.

Keys that the results of an annotation share stand once, in the list ``heads``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.annotation.formats.json_fields import to_json

_HEAD = (
    "from_name",
    "to_name",
    "type",
    "origin",
    "source",
    "image_rotation",
    "original_width",
    "original_height",
    "readonly",
    "hidden",
    "sections",
)
BOX_KEYS = ("x", "y", "width", "height", "rotation")


@dataclass(kw_only=True)
class Entries:
    """Collects the entries of one annotation or prediction."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    heads: list[dict[str, Any]] = field(default_factory=list)
    _places: dict[str, int] = field(default_factory=dict)

    def raw(self, result: Any) -> None:
        """Keep a result as it stands."""
        self.entries.append({"raw": result})

    def add(
        self, what: Mapping[str, Any], result: Mapping[str, Any], known: tuple[str, ...]
    ) -> None:
        """Keep what the content does not say about a result.

        Args:
            what: What it stands for.
            result: The result.
            known: Keys of its value that the content says.
        """
        entry = dict(what)
        head = {key: result[key] for key in _HEAD if key in result}
        name = to_json(head)
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = len(self.heads)
            self.heads.append(head)
        entry["h"] = place
        value = {key: one for key, one in result["value"].items() if key not in known}
        rest = {
            key: one
            for key, one in result.items()
            if key not in head and key not in ("id", "value")
        }
        if value:
            entry["value"] = value
        if rest:
            entry["rest"] = rest
        self.entries.append(entry)

    def kept(self) -> dict[str, Any]:
        """Return what goes to `extra`."""
        return {"results": self.entries, "heads": self.heads}
