"""The asynchronous client; it belongs to the event loop in which its first call is made."""

from __future__ import annotations

from spanloop._async.client import AsyncClient

__all__ = ["AsyncClient"]
