"""Who makes the call under way."""

from __future__ import annotations

from services.common.call import current_call


def current_user() -> str:
    """Return the user of the call under way; empty for the system itself, which may do all."""
    return current_call().user
