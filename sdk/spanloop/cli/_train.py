"""`spanloop train`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Annotated, Any

import typer

from spanloop.cli._output import note, out, print_evaluation, print_json, print_table, warn
from spanloop.cli._session import AsJson, Context, Labels, Project, session_of, values
from spanloop.cli._watching import watch_training
from spanloop.errors import ConfigurationError
from spanloop.types import (
    GivenSplits,
    ModelType,
    RatioSplits,
    SplitPolicy,
    TrainingData,
    TrainingJob,
    TrainingJobState,
    TrainingParameters,
    TrainingResources,
    TrainingTemplate,
    TransferLearning,
)


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("train")(train)


def train(
    context: Context,
    project: Project,
    watch: Annotated[bool, typer.Option("--watch", help="Show it until it ends.")] = False,
    labels: Labels = None,
    epochs: Annotated[int | None, typer.Option(help="Most passes over the data.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Passes without a better dev F1 before a label stops.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Step size.")] = None,
    width: Annotated[int | None, typer.Option(help="Width of an adapter's running state.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    max_length: Annotated[int | None, typer.Option(help="Longest window in tokens.")] = None,
    options: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            metavar="NAME=VALUE",
            help="Any other parameter, or an option of the engine; see `spanloop engines ENGINE`. "
            "Repeatable.",
        ),
    ] = None,
    script: Annotated[str, typer.Option(help="Training script to run, with --engine script.")] = "",
    engine: Annotated[str, typer.Option(help="What trains; default: ladder.")] = "",
    base: Annotated[
        str, typer.Option(help="Model version whose adapters are kept for other labels.")
    ] = "",
    trunk: Annotated[str, typer.Option(help="Trunk source; default: the trainer's.")] = "",
    snapshot: Annotated[
        str, typer.Option(help="Train this snapshot instead of taking a new one.")
    ] = "",
    splits: Annotated[
        str,
        typer.Option(
            help="`given`, or shares TRAIN,DEV,TEST such as 0.8,0.1,0.1. Default: given if every "
            "text has a split, else these."
        ),
    ] = "",
    model_type: Annotated[
        ModelType, typer.Option("--type", help="What to train.")
    ] = ModelType.UNSPECIFIED,
    control: Annotated[str, typer.Option(help="For a classification: name of the `Choices`.")] = "",
    start: Annotated[
        str, typer.Option("--from", help="Model version whose weights training starts from.")
    ] = "",
    keep_labels: Annotated[
        bool, typer.Option("--keep-labels", help="With --from: keep its labels not trained here.")
    ] = False,
    deploy: Annotated[
        bool, typer.Option("--deploy", help="Serve the version if the project's gate lets it.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Train all models that the annotations allow, as a group.")
    ] = False,
    gpu: Annotated[bool, typer.Option("--gpu", help="Train on a GPU.")] = False,
    cpu: Annotated[int, typer.Option(min=0, help="Processor slots; 0: the engine's default.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Take a snapshot of the submitted completions and train adapters from it.

    With --watch, exits with 1 unless the job is done.
    """
    policy = split_policy(splits, seed or 0)
    given = TrainingParameters(
        epochs=epochs,
        patience=patience,
        learning_rate=learning_rate,
        width=width,
        seed=seed,
        max_length=max_length,
    )
    parameters = with_options(given, values(options))
    resources = TrainingResources(cpu=cpu, gpu=int(gpu))
    if every:
        one_model = (snapshot, base, start, labels, control, script, watch)
        if any(one_model) or model_type is not ModelType.UNSPECIFIED:
            raise ConfigurationError(
                "--all trains everything: it goes with --splits, --trunk, --engine, --deploy and "
                "parameters only."
            )
        template = TrainingTemplate(
            data=TrainingData(split_policy=policy),
            parameters=parameters,
            trunk_source=trunk,
            engine=engine,
            resources=resources,
            deploy=deploy,
        )
        _train_all(context, project, template, as_json)
        return
    with session_of(context).client() as client:
        if not snapshot:
            taken = client.create_snapshot(project, split_policy=policy)
            snapshot = taken.name
            counts = ", ".join(f"{count} {part}" for part, count in taken.example_counts.items())
            note(f"Snapshot {taken.name}: {counts}.")
        job = client.create_training_job(
            project,
            snapshot=snapshot,
            labels=values(labels),
            base_model_version=base,
            model_type=model_type,
            control=control,
            transfer=TransferLearning(
                model_version=start
                if "/" in start
                else f"projects/{project}/modelVersions/{start}",
                include_base_labels=keep_labels,
            )
            if start
            else None,
            deploy=deploy,
            parameters=parameters,
            trunk_source=trunk,
            engine=engine,
            script=script,
            resources=resources,
        )
        note(f"Job {job.name}.")
        if watch:
            job = watch_training(client, job.name)
    if as_json:
        print_json(job)
    elif watch:
        show_job(job, project)
    else:
        out().print(job.name, markup=False)
    if watch and job.state is not TrainingJobState.DONE:
        raise typer.Exit(1)


def _train_all(context: Context, project: str, template: TrainingTemplate, as_json: bool) -> None:
    with session_of(context).client() as client:
        group = client.create_training_group(project, template=template)
    if as_json:
        print_json(group)
        return
    note(f"Group {group.name}.")
    for job in group.training_jobs:
        out().print(job.name, markup=False)


def with_options(parameters: TrainingParameters, options: Sequence[str]) -> TrainingParameters:
    """Return parameters with those of `--option` joined to them.

    Raises:
        ConfigurationError: One is no `NAME=VALUE`, is there twice, or is no number but must be.
    """
    types = {one.name: str(one.type) for one in fields(TrainingParameters)}
    found: dict[str, Any] = {}
    own: dict[str, str] = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"--option {option}: must be NAME=VALUE")
        if name in own or name in found or getattr(parameters, name, None) not in (None, {}):
            raise ConfigurationError(f"--option {name}: is there twice")
        if name not in types or name == "engine_options":
            own[name] = text
            continue
        try:
            found[name] = int(text) if "int" in types[name] else float(text)
        except ValueError as error:
            raise ConfigurationError(f"--option {name}: {text!r} is no number") from error
    return replace(parameters, engine_options=own, **found)


def split_policy(splits: str, seed: int) -> SplitPolicy | None:
    """Return the policy that `--splits` names, None for an empty one.

    Raises:
        ConfigurationError: When it names none.
    """
    if not splits:
        return None
    if splits == "given":
        return GivenSplits(seed=seed)
    try:
        train, dev, test = (float(part) for part in splits.split(","))
    except ValueError as error:
        raise ConfigurationError(f"--splits {splits}: must be `given` or three shares") from error
    return RatioSplits(train=train, dev=dev, test=test, seed=seed)


def show_job(job: TrainingJob, project: str = "PROJECT") -> None:
    """Print what came of a training job."""
    rows: list[tuple[str, object]] = [
        ("job", job.name),
        ("state", job.state.value + (" (cancelling)" if job.cancel_requested else "")),
        ("waits because", job.waiting_reason),
        ("progress", f"{job.progress.fraction:.0%} {job.progress.phase}"),
        ("attempt", job.attempt),
        ("source", job.source.value),
        ("group", job.group),
        ("snapshot", job.snapshot),
        ("labels", ", ".join(job.labels) or "all"),
        ("trunk", job.trunk_source),
        ("model version", job.model_version),
        ("created", job.create_time),
        ("started", job.start_time),
        ("ended", job.end_time),
        ("training seconds", job.timings.training_seconds),
        ("activation seconds", job.timings.activation_seconds),
    ]
    if (chosen := job.trunk_precision) is not None:
        rows.append(("trunk's precision", f"{chosen.precision}: {chosen.reason}"))
    if job.deployment is not None:
        rows.append(("deployment", job.deployment.message or job.deployment.deployed))
    if job.failure is not None:
        rows.append(("failure", f"{job.failure.reason.name}: {job.failure.message}"))
    print_table(["", ""], ((key, value) for key, value in rows if value not in (None, "")))
    for warning in job.warnings:
        warn(warning)
    if job.evaluation is not None:
        print_evaluation(job.evaluation)
    if job.state is TrainingJobState.DONE:
        version = job.model_version.rpartition("/")[2]
        note(f"Serve it with: spanloop deploy {project} {version}")
