"""What to do about an error, by its documented reason."""

from __future__ import annotations

import grpc
from rich.markup import escape

from spanloop.cli._output import err
from spanloop.errors import SpanloopError

_BY_REASON = {
    "CREDENTIALS_MISSING": "Give the token: SPANLOOP_TOKEN, SPANLOOP_TOKEN_FILE, or --data-dir of "
    "the services, whose file `token` is then read.",
    "CREDENTIALS_INVALID": "The services accept another token: see the file `token` in their data "
    "directory; --data-dir or SPANLOOP_DATA_DIR names it, SPANLOOP_TOKEN comes before it.",
    "LABEL_UNKNOWN": "See the labels with `spanloop labels list PROJECT`; add one with `spanloop "
    "labels add`, or import with --create-labels.",
    "RESOURCE_NOT_FOUND": "Check the name; `spanloop jobs list`, `spanloop models list PROJECT` "
    "and `spanloop labels list PROJECT` show what there is.",
    "RESOURCE_EXISTS": "Use another id, or use the one that exists.",
    "ETAG_MISMATCH": "Somebody else changed it: look again and repeat.",
    "NO_TRAINING_DATA": "Import texts with spans, or submit completions, first.",
    "MODEL_VERSION_UNKNOWN": "See the versions with `spanloop models list PROJECT`.",
    "MODEL_VERSION_NOT_READY": "Only READY versions serve: see `spanloop models show`.",
    "NOTHING_DEPLOYED": "Deploy a version first: `spanloop deploy PROJECT VERSION`.",
    "NOTHING_TO_ROLL_BACK": "See the revisions with `spanloop rollback PROJECT --list`.",
    "IMPORT_EMPTY": "Check that the file is the right one and not empty.",
    "LINE_TOO_LONG": "Split the text: one line of the file is longer than the service takes.",
    "OVERLOADED": "Try again in a moment.",
    "DRAINING": "The service is stopping: start it again and repeat.",
    "STORE_UNAVAILABLE": "Check the service's database, then repeat; nothing was written.",
    "PEER_UNAVAILABLE": "Check that all four services run: `spanloop doctor`.",
    "INTERNAL": "This is a bug: the service's log has the details under the call's request id.",
}


def advice(error: SpanloopError) -> str:
    """Return what to do, empty when the message says it all."""
    found = _BY_REASON.get(error.reason)
    if found:
        return found
    if error.code is grpc.StatusCode.UNAVAILABLE:
        return (
            "Is the service running? `spanloop up` starts all four, `spanloop doctor` says what "
            "is reachable; SPANLOOP_<SERVICE>_ADDRESS names another address."
        )
    if error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "The service is slow or stuck: see its log, or try again."
    return ""


def print_error(error: SpanloopError) -> None:
    """Print `error:`, the message, the reason, the bad fields and what to do on stderr."""
    console = err()
    console.print(f"[red]error:[/red] {escape(error.message)}", soft_wrap=True)
    console.print(f"reason: {error.reason or error.code.name}", soft_wrap=True)
    for violation in error.violations:
        if violation.description not in error.message:
            console.print(escape(f"  {violation.field}: {violation.description}"), soft_wrap=True)
    if error.retry_after:
        console.print(f"try again after {error.retry_after:g} s")
    told = advice(error)
    if told:
        console.print(escape(told), soft_wrap=True)
