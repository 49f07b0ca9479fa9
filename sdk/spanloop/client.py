"""The synchronous client, on gRPC's synchronous channels; threads may share one."""

from __future__ import annotations

from spanloop._sync.client import Client

__all__ = ["Client"]
