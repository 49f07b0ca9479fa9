"""`spanloop deploy`, `spanloop rollback`, `spanloop pin` and `spanloop unpin`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from spanloop.cli._output import note, print_json, print_table, warn
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.client import Client
from spanloop.errors import ConfigurationError, SpanloopError
from spanloop.types import Deployment, GenerationState, ModelVersionState

Wait = Annotated[
    float,
    typer.Option(min=0, help="Seconds to wait until it serves; 0 does not wait."),
]


def add_to(root: typer.Typer) -> None:
    """Add the commands."""
    root.command("deploy")(deploy)
    root.command("rollback")(rollback)
    root.command("pin")(pin)
    root.command("unpin")(unpin)


def deploy(
    context: Context,
    project: Project,
    version: Annotated[
        str, typer.Argument(metavar="[VERSION]", help="Or an alias. Default: the newest READY one.")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Even though the project's gate refuses it.")
    ] = False,
    etag: Annotated[str, typer.Option(help="Refuse when the deployment moved since.")] = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Serve a model version."""
    with session_of(context).client() as client:
        if not version:
            ready = client.list_model_versions(project, states=[ModelVersionState.READY])
            newest = next(iter(ready), None)
            if newest is None:
                raise ConfigurationError(
                    f"{project} has no READY version: train one with `spanloop train {project}`."
                )
            version = newest.name
        moved = client.deploy(project, version, etag=etag, force=force)
        _report(client, project, moved, wait, as_json)


def rollback(
    context: Context,
    project: Project,
    revision: Annotated[
        int, typer.Option(min=0, help="Default: the newest earlier one with other models.")
    ] = 0,
    list_: Annotated[bool, typer.Option("--list", help="List the revisions only.")] = False,
    etag: Annotated[str, typer.Option(help="Refuse when the deployment moved since.")] = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Serve the models and pins of an earlier revision again."""
    with session_of(context).client() as client:
        if not list_:
            moved = client.rollback(project, revision=revision, etag=etag)
            _report(client, project, moved, wait, as_json)
            return
        found = list(client.list_deployment_revisions(project))
    if as_json:
        print_json(found)
        return
    print_table(
        ["#revision", "action", "#of revision", "models", "time"],
        (
            (
                entry.revision,
                entry.action.value,
                entry.restored_revision or "",
                _models(entry),
                entry.create_time,
            )
            for entry in found
        ),
    )


def pin(
    context: Context,
    project: Project,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Value of the label.")],
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Or an alias.")],
    etag: Annotated[str, typer.Option(help="Refuse when the deployment moved since.")] = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Serve one label from another version, also after later deploys."""
    with session_of(context).client() as client:
        moved = client.pin_label(project, label, version, etag=etag)
        _report(client, project, moved, wait, as_json)


def unpin(
    context: Context,
    project: Project,
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Value of the label.")],
    etag: Annotated[str, typer.Option(help="Refuse when the deployment moved since.")] = "",
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Serve a label from the deployed version again."""
    with session_of(context).client() as client:
        _report(client, project, client.unpin_label(project, label, etag=etag), wait, as_json)


def _models(deployment: Deployment) -> str:
    models = [model.model_version.rpartition("/")[2] for model in deployment.models]
    pins = [f"{pin.label} from {pin.model_version.rpartition('/')[2]}" for pin in deployment.pins]
    return ", ".join([*models, *pins])


def _report(
    client: Client, project: str, deployment: Deployment, wait: float, as_json: bool
) -> None:
    note(f"{project} revision {deployment.revision}: {_models(deployment)}.")
    if as_json:
        print_json(deployment)
    if wait:
        _await_serving(client, project, deployment.revision, wait)


def _await_serving(client: Client, project: str, revision: int, seconds: float) -> None:
    """Wait until the inference service answers with the revision; a warning if it does not."""
    began = time.monotonic()
    trouble = "it is still loading"
    while time.monotonic() - began < seconds:
        try:
            generations = client.serving_state(project).generations
        except SpanloopError as error:
            warn(f"The deployment moved; whether it serves is not known: {error.message}")
            return
        for entry in generations:
            if entry.deployment_revision < revision:
                continue
            if entry.state is GenerationState.READY:
                note(f"Serving after {time.monotonic() - began:.2f} s.")
                return
            if entry.state is GenerationState.ERROR:
                trouble = entry.error_message
        time.sleep(0.05)
    warn(f"Not serving after {seconds:g} s ({trouble}); older generations keep serving.")
