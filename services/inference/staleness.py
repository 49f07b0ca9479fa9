"""Which predictions a swap has made stale."""

from __future__ import annotations

from services.inference.domain import AdapterDigests


def is_current(
    named: AdapterDigests | None, *, wanted: AdapterDigests, deployed: AdapterDigests
) -> bool:
    """Whether a task needs no new prediction.

    Args:
        named: The adapters that its newest prediction names; None: it has none.
        wanted: Those that would be asked now.
        deployed: All that are deployed now; what is named and not deployed any more is stale.
    """
    if named is None:
        return False
    return wanted.items() <= named.items() <= deployed.items()
