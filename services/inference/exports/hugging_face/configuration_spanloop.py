"""The configuration of a model version that Spanloop exported."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class SpanloopConfig(PretrainedConfig):
    """A trunk of any family with side networks, one per label.

    Attributes:
        trunk: Configuration of the trunk.
        reading: How texts are read; see ``spanloop_word_feeds.Reading``.
        ladders: For each label, in the order of ``id2label``, the shape of its side network and
            the bias of its O.
    """

    model_type = "spanloop"

    def __init__(
        self,
        trunk: dict[str, Any] | None = None,
        reading: dict[str, int] | None = None,
        ladders: list[dict[str, Any]] | None = None,
        **others: Any,
    ) -> None:
        """Keep what the file says."""
        self.trunk = trunk or {}
        self.reading = reading or {}
        self.ladders = ladders or []
        super().__init__(**others)
