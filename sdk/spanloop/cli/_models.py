"""`spanloop models`."""

from __future__ import annotations

from typing import Annotated

import typer

from spanloop.cli._groups import ListsByDefault
from spanloop.cli._output import print_evaluation, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.client import Client
from spanloop.errors import FailedPrecondition
from spanloop.types import ModelVersion, Split

app = typer.Typer(cls=ListsByDefault, no_args_is_help=True, help="The model versions of a project.")


@app.command("list")
def list_(context: Context, project: Project, as_json: AsJson = False) -> None:
    """List the model versions of a project, newest first; the deployed one is marked."""
    with session_of(context).client() as client:
        found = list(client.list_model_versions(project))
        serving = deployed(client, project) if found and not as_json else set()
    if as_json:
        print_json(found)
        return
    print_table(
        ["version", "state", "deployed", "labels", "#test micro F1", "created"],
        (
            (
                version.id,
                version.state.value,
                "yes" if version.name in serving else "",
                ", ".join(version.adapters),
                _f1(version),
                version.create_time,
            )
            for version in found
        ),
    )


@app.command()
def show(
    context: Context,
    project: Project,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="E.g. ner_contracts_v3.")],
    as_json: AsJson = False,
) -> None:
    """Show one model version with its quality and origin."""
    name = version if "/" in version else f"projects/{project}/modelVersions/{version}"
    with session_of(context).client() as client:
        found = client.get_model_version(name)
    if as_json:
        print_json(found)
        return
    parity = found.parity
    rows: list[tuple[str, object]] = [
        ("version", found.name),
        ("state", found.state.value),
        ("failure", found.failure_message),
        ("created", found.create_time),
        ("training job", found.lineage.training_job),
        ("snapshot", found.lineage.snapshot),
        ("content hash", found.lineage.snapshot_content_hash),
        ("trunk", found.trunk_digest),
        *((f"adapter {label}", digest) for label, digest in found.adapters.items()),
    ]
    if parity is not None:
        told = f"largest logit difference {parity.max_abs_diff:.2g} over {parity.texts} texts"
        rows.append(("parity", told))
    print_table(["", ""], ((key, value) for key, value in rows if value not in (None, "")))
    if found.evaluation is not None:
        print_evaluation(found.evaluation)


def deployed(client: Client, project: str) -> set[str]:
    """Return the names of the versions that a project serves, none before the first Deploy."""
    try:
        return {model.model_version for model in client.get_deployment(project).models}
    except FailedPrecondition:
        return set()


def _f1(version: ModelVersion) -> float | None:
    found = version.evaluation.on(Split.TEST) if version.evaluation else None
    return found.micro.f1 if found else None
