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
    "RESOURCE_NOT_FOUND": "Check the name; `spanloop projects list` shows the projects.",
    "ACCESS_DENIED": "See who has which role with `spanloop members list PROJECT`; owners and "
    "managers give roles.",
    "FORMAT_UNKNOWN": "`spanloop formats list` shows the names that --format takes.",
    "RESOURCE_EXISTS": "Use another id, or use the one that exists.",
    "ETAG_MISMATCH": "Somebody else changed it: look again and repeat.",
    "NO_TRAINING_DATA": "Import texts with spans, or submit completions, first; `spanloop "
    "snapshots preview PROJECT` says which are taken, and why.",
    "MODEL_VERSION_UNKNOWN": "See the versions with `spanloop models list PROJECT`.",
    "MODEL_VERSION_NOT_READY": "Only READY versions serve: see `spanloop models show`.",
    "GATE_FAILED": "See the gate with `spanloop policy show PROJECT`; `spanloop deploy --force` "
    "overrides it.",
    "NOTHING_DEPLOYED": "Deploy a version first: `spanloop deploy PROJECT VERSION`.",
    "NOTHING_PREDICTED": "Predict the open tasks first: `spanloop preannotate PROJECT --watch`; or "
    "rank without predictions: --strategy random.",
    "NOTHING_TO_ROLL_BACK": "See the revisions with `spanloop rollback PROJECT --list`.",
    "IMPORT_EMPTY": "Check that the file is the right one and not empty.",
    "LINE_TOO_LONG": "Split the text: one line of the file is longer than the service takes.",
    "OVERLOADED": "Try again in a moment.",
    "DRAINING": "The service is stopping: start it again and repeat.",
    "STORE_UNAVAILABLE": "Check the service's database, then repeat; nothing was written.",
    "PEER_UNAVAILABLE": "Check that all four services run: `spanloop doctor`.",
    "INTERNAL": "This is a bug: the service's log has the details under the call's request id.",
}

# What lists the resources of a collection; `{parent}` and `{task}` are ids out of the name.
_LISTED_BY = {
    "completions": "`spanloop completions list {parent} {task}` shows those of the task.",
    "labels": "`spanloop labels list {parent}` shows the labels.",
    "members": "`spanloop members list {parent}` shows the members.",
    "modelVersions": "`spanloop models list {parent}` shows the versions.",
    "preannotationJobs": "`spanloop jobs list {parent} --preannotation` shows the jobs.",
    "ruleSets": "`spanloop rules list {parent}` shows the rule sets.",
    "snapshots": "`spanloop snapshots list {parent}` shows the snapshots.",
    "tasks": "`spanloop tasks list {parent}` shows the ids of the tasks; external ids name none.",
    "trainingJobs": "`spanloop jobs list {parent}` shows the jobs.",
    "accessTokens": "`spanloop tokens list {parent}` shows the tokens.",
}

# Fields of requests that are options here.
_BY_FIELD = {
    "ReviewCompletion.reviewer": "Say who reviews with --reviewer, or act for them: `spanloop "
    "--user USER completions review …`.",
    "RestoreRevision.version": "`spanloop completions history COMPLETION` shows the versions.",
    "CreateAccessToken.parent": "Name the user: `spanloop tokens create USER`.",
    "ListAccessTokens.parent": "Name the user: `spanloop tokens list USER`.",
}


def advice(error: SpanloopError, *, acting: bool = False) -> str:
    """Return what to do, empty when the message says it all.

    Args:
        error: What went wrong.
        acting: Whether the command acted for a user, by --user or SPANLOOP_USER.
    """
    found = _BY_REASON.get(error.reason)
    if error.reason == "RESOURCE_NOT_FOUND":
        return _where(error.metadata.get("resource", "")) or found or ""
    if error.reason == "CREDENTIALS_INVALID" and acting:
        return (
            "Only the token that the services share may act for a user: give that one, or leave "
            "--user and SPANLOOP_USER out."
        )
    if found:
        return found
    for violation in error.violations:
        told = _BY_FIELD.get(f"{error.method.rpartition('/')[2]}.{violation.field}")
        if told:
            return told
    if error.code is grpc.StatusCode.UNAVAILABLE:
        return (
            "Is the service running? `spanloop up` starts all four, `spanloop doctor` says what "
            "is reachable; SPANLOOP_<SERVICE>_ADDRESS names another address."
        )
    if error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "The service is slow or stuck: see its log, or try again."
    return ""


def _where(resource: str) -> str:
    """Return what lists the resources among which one was not found."""
    parts = resource.split("/")
    told = _LISTED_BY.get(parts[-2], "") if len(parts) >= 4 else ""
    return told and f"Check the name; {told.format(parent=parts[1], task=parts[3])}"


def print_error(error: SpanloopError, *, acting: bool = False) -> None:
    """Print `error:`, the message, the reason, the bad fields and what to do on stderr."""
    console = err()
    console.print(f"[red]error:[/red] {escape(error.message)}", soft_wrap=True)
    console.print(f"reason: {error.reason or error.code.name}", soft_wrap=True)
    for violation in error.violations:
        if violation.description not in error.message:
            console.print(escape(f"  {violation.field}: {violation.description}"), soft_wrap=True)
    if error.retry_after:
        console.print(f"try again after {error.retry_after:g} s")
    told = advice(error, acting=acting)
    if told:
        console.print(escape(told), soft_wrap=True)
