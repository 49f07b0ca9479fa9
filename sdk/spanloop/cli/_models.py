"""`spanloop models`."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from spanloop.cli._choices import one_of
from spanloop.cli._groups import ListsByDefault
from spanloop.cli._output import note, print_evaluation, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.client import Client
from spanloop.errors import FailedPrecondition
from spanloop.types import ExportLayout, ModelVersion, Split

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
        ("artifacts deleted", found.purge_time),
        ("training job", found.lineage.training_job),
        ("snapshot", found.lineage.snapshot),
        ("content hash", found.lineage.snapshot_content_hash),
        ("made from", ", ".join(found.lineage.base_model_versions)),
        ("trunk", found.trunk_digest),
        *((f"adapter {label}", digest) for label, digest in found.adapters.items()),
    ]
    if parity is not None:
        told = f"largest logit difference {parity.max_abs_diff:.2g} over {parity.texts} texts"
        rows.append(("parity", told))
    print_table(["", ""], ((key, value) for key, value in rows if value not in (None, "")))
    if found.evaluation is not None:
        print_evaluation(found.evaluation)


@app.command()
def card(
    context: Context,
    project: Project,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Or an alias.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it into this file.")
    ] = None,
) -> None:
    """Print the model card of one: Markdown with the metadata that Hugging Face reads."""
    name = version if "/" in version else f"projects/{project}/modelVersions/{version}"
    with session_of(context).client() as client:
        text = client.get_model_card(name)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


@app.command()
def audit(
    context: Context,
    project: Annotated[
        str, typer.Argument(metavar="[PROJECT]", help="Default: all, with adapters and trunks.")
    ] = "-",
    version: Annotated[str, typer.Option(help="Only what is about this version.")] = "",
    action: Annotated[
        list[str] | None, typer.Option(help="Only these, e.g. deploy; repeat it.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show who changed what in the registry, newest first."""
    resource = version
    if version and "/" not in version:
        resource = f"projects/{project}/modelVersions/{version}"
    with session_of(context).client() as client:
        entries = client.list_registry_audit(project, resource=resource, actions=action or ())
        found = list(islice(entries, limit))
        more = next(entries, None) is not None
    if as_json:
        print_json(found)
        return
    print_table(
        ["when", "who", "what", "resource", "version", ""],
        (
            (
                one.time,
                one.actor,
                one.action.value,
                one.resource,
                one.model_version.rpartition("/")[2],
                ", ".join(f"{key} {value}" for key, value in one.details.items()),
            )
            for one in found
        ),
    )
    if more:
        note(f"These are the newest {limit}: --limit shows more.")


@app.command()
def export(
    context: Context,
    project: Project,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="E.g. ner_contracts_v3.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that is not there.")],
    layout: Annotated[
        ExportLayout, one_of(ExportLayout, "--layout", help="How the folder is laid out.")
    ] = ExportLayout.ONNX,
) -> None:
    """Write a model version as a folder that runs without Spanloop."""
    name = version if "/" in version else f"projects/{project}/modelVersions/{version}"
    with session_of(context).client() as client:
        try:
            files = client.export_model(name, folder, layout=layout)
        except OSError as error:
            raise typer.BadParameter(f"{folder}: {error.strerror}.") from error
    note(f"Wrote {len(files)} files to {folder}; README.md says how to use them.")


def deployed(client: Client, project: str) -> set[str]:
    """Return the names of the versions that a project serves, none before the first Deploy."""
    try:
        return {model.model_version for model in client.get_deployment(project).models}
    except FailedPrecondition:
        return set()


def _f1(version: ModelVersion) -> float | None:
    found = version.evaluation.on(Split.TEST) if version.evaluation else None
    return found.micro.f1 if found else None
