"""Checks of the services: do they answer, and do they accept the token."""

from __future__ import annotations

from collections.abc import Iterator

from spanloop._connect import ENDPOINTS_FILE, ClientOptions, RetryPolicy
from spanloop.cli._advice import advice
from spanloop.cli._checks import Finding, ok, problem, warning
from spanloop.cli._processes import is_free
from spanloop.cli._session import Session
from spanloop.client import Client
from spanloop.errors import ConfigurationError, SpanloopError, Unavailable

_TIMEOUT_SECONDS = 3.0


def service_findings(session: Session) -> Iterator[Finding]:
    """Yield the findings about the four services at the addresses in effect."""
    options = ClientOptions(timeout=_TIMEOUT_SECONDS, retry=RetryPolicy(attempts=1))
    try:
        client = Client(data_dir=session.data_dir, token=session.token, options=options)
    except ConfigurationError as error:
        yield problem("client settings", error.message, "Mend or unset what the message names.")
        return
    with client:
        states = {service: _health(client, service) for service, _ in client.endpoints.items()}
        nothing_runs = not any(state == "serving" for state in states.values())
        told = (session.data / ENDPOINTS_FILE).exists()
        for service, address in client.endpoints.items():
            yield _judge(service, address, states[service], nothing_runs and not told)
        if states["annotation"] == "serving":
            yield _token(client)


def _health(client: Client, service: str) -> str:
    try:
        return client.health(service, timeout=_TIMEOUT_SECONDS)
    except Unavailable:
        return "silent"
    except SpanloopError as error:
        return f"answers {error.code.name}"


def _judge(service: str, address: str, state: str, nothing_runs: bool) -> Finding:
    """Judge one service; when none of them runs, that is how a fresh installation looks."""
    check = f"service {service}"
    if state == "serving":
        return ok(check, f"serving on {address}")
    if state == "silent" and is_free(address):
        found = f"nothing listens on {address}"
        if nothing_runs:
            return warning(check, found, "`spanloop up` starts all four services.")
        return problem(
            check,
            found,
            f"Start it; its log may say why it ended. SPANLOOP_{service.upper()}_ADDRESS names "
            "another address.",
        )
    if state == "not_serving":
        return problem(
            check, f"on {address} reports NOT_SERVING", "See its log: it stops, or lacks its store."
        )
    return problem(
        check,
        f"what listens on {address} is no Spanloop service, or speaks TLS ({state})",
        "Use other ports (`spanloop up --free-ports`), or set SPANLOOP_PEER_TLS_CA for TLS.",
    )


def _token(client: Client) -> Finding:
    try:
        next(iter(client.list_projects(timeout=_TIMEOUT_SECONDS)), None)
    except SpanloopError as error:
        return problem("token accepted", error.message, advice(error) or "See the service's log.")
    return ok("token accepted", "yes")
