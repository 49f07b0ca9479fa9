"""Which control of a labelling config a result belongs to, and what it is called there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.annotation.labeling.config import LabelingConfig

_DRAWN = ("RectangleLabels", "OcrLabels")


@dataclass(kw_only=True)
class Controls:
    """Names of controls for results that no file gave any.

    Attributes:
        config: The project's config.
        text: What results call the text.
        image: What results call the pages.
    """

    config: LabelingConfig | None
    text: str = "text"
    image: str = "image"
    _names: dict[tuple[str, bool], dict[str, Any]] = field(default_factory=dict)

    def of_label(self, label: str, *, drawn: bool = False) -> dict[str, Any]:
        """Return `from_name`, `to_name` and `type` for a label of text, or of a rectangle."""
        known = self._names.get((label, drawn))
        if known is None:
            known = self._names[label, drawn] = self._of_label(label, drawn)
        return dict(known)

    def _of_label(self, label: str, drawn: bool) -> dict[str, Any]:
        target = self.image if drawn else self.text
        head = {
            "from_name": "label",
            "to_name": target,
            "type": "rectanglelabels" if drawn else "labels",
        }
        if self.config is None:
            return head
        controls = {one.name: one for one in self.config.controls}
        for one in self.config.labels:
            control = controls.get(one.control)
            if control is None or label not in (one.exported, one.value):
                continue
            if (control.tag in _DRAWN) == drawn:
                head["from_name"] = control.name
                head["type"] = control.tag.lower()
                head["to_name"] = control.to_names[0] if control.to_names else target
                break
        return head

    def of_choices(self, name: str) -> dict[str, Any]:
        """Return the same for choices of the whole task."""
        found = self.config.choice(name) if self.config else None
        target = found.to_names[0] if found and found.to_names else self.text
        return {"from_name": name, "to_name": target, "type": "choices"}

    def of_attribute(self, name: str, *, drawn: bool) -> dict[str, Any]:
        """Return the same for an attribute of a span or region."""
        return {
            "from_name": name,
            "to_name": self.image if drawn else self.text,
            "type": "choices",
        }

    def assertions(self) -> frozenset[str]:
        """Return the labels that are assertion statuses."""
        if self.config is None:
            return frozenset()
        return frozenset(
            name for one in self.config.assertion_labels() for name in (one.exported, one.value)
        )
