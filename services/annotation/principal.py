"""Who makes the call under way."""

from __future__ import annotations

from services.common.call import current_call

SYSTEM_ACTOR = "system"


def current_user() -> str:
    """Return the user of the call under way; empty for the system itself, which may do all."""
    return current_call().user


def current_actor() -> str:
    """Return whom history and audit name: the user, else the calling service, else ``system``."""
    call = current_call()
    if call.user:
        return call.user
    return SYSTEM_ACTOR if call.caller in {"token", "background"} else call.caller
