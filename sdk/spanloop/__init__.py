"""Spanloop: the open loop from annotations to served models.

`Client` and `AsyncClient` have the same calls; values are in `spanloop.types`, exceptions in
`spanloop.errors`.
"""

from __future__ import annotations

from spanloop._connect import ClientOptions, Endpoints, RetryPolicy, Tls
from spanloop.aio import AsyncClient
from spanloop.client import Client
from spanloop.errors import SpanloopError

__all__ = [
    "AsyncClient",
    "Client",
    "ClientOptions",
    "Endpoints",
    "RetryPolicy",
    "SpanloopError",
    "Tls",
]
