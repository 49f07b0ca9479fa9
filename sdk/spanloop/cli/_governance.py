"""`spanloop policy`, `spanloop retention` and `spanloop lineage`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import Annotated

import typer

from spanloop.cli._output import note, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.client import Client
from spanloop.types import (
    DeployGate,
    LineageStep,
    RegistryPolicy,
    RetentionItem,
    RetentionPolicy,
    RetentionSummary,
    SnapshotExample,
    Split,
)

app = typer.Typer(
    no_args_is_help=True, help="What versions must show to be deployed, and which are kept."
)


def add_to(root: typer.Typer) -> None:
    """Add the commands that stand alone."""
    root.command("retention")(retention)
    root.command("lineage")(lineage)


@app.command()
def show(context: Context, project: Project, as_json: AsJson = False) -> None:
    """Show the gate and the retention of a project."""
    with session_of(context).client() as client:
        _report(client.get_registry_policy(project), as_json)


@app.command("set")
def set_(
    context: Context,
    project: Project,
    split: Annotated[str, typer.Option(help="Gate: dev or test.")] = "",
    min_micro: Annotated[
        float | None, typer.Option(min=0, max=1, help="Gate: least micro F1; 0: any.")
    ] = None,
    min_label: Annotated[
        float | None, typer.Option(min=0, max=1, help="Gate: least F1 of each label; 0: any.")
    ] = None,
    max_loss: Annotated[
        float | None, typer.Option(min=0, max=1, help="Gate: most F1 that a label may lose.")
    ] = None,
    no_gate: Annotated[bool, typer.Option("--no-gate", help="Ask for nothing.")] = False,
    keep_last: Annotated[
        int | None, typer.Option(min=1, help="Keep so many versions of each type.")
    ] = None,
    keep_days: Annotated[
        float | None, typer.Option(min=0, help="Keep what is younger; 0: age keeps nothing.")
    ] = None,
    keep_revisions: Annotated[
        int | None, typer.Option(min=1, help="Keep what the newest revisions serve.")
    ] = None,
    keep_all: Annotated[bool, typer.Option("--keep-all", help="Keep all versions.")] = False,
    as_json: AsJson = False,
) -> None:
    """Change them; what is not named stays."""
    with session_of(context).client() as client:
        policy = client.get_registry_policy(project)
        gate = policy.gate or DeployGate()
        if split:
            gate = replace(gate, split=Split(split))
        if min_micro is not None:
            gate = replace(gate, min_micro_f1=min_micro)
        if min_label is not None:
            gate = replace(gate, min_label_f1=min_label)
        if max_loss is not None:
            gate = replace(gate, max_label_regression=max_loss)
        rules = policy.retention or RetentionPolicy(keep_last=keep_last or 1)
        if keep_last is not None:
            rules = replace(rules, keep_last=keep_last)
        if keep_days is not None:
            rules = replace(rules, max_age=timedelta(days=keep_days) if keep_days else None)
        if keep_revisions is not None:
            rules = replace(rules, keep_revisions=keep_revisions)
        retains = keep_last is not None or keep_days is not None or keep_revisions is not None
        if retains and keep_last is None and policy.retention is None:
            raise typer.BadParameter("Say with --keep-last how many versions are kept at least.")
        changed = replace(
            policy,
            gate=None if no_gate or gate == DeployGate() else gate,
            retention=None
            if keep_all
            else rules
            if retains or policy.retention is not None
            else None,
        )
        _report(client.update_registry_policy(changed), as_json)


def retention(
    context: Context,
    project: Annotated[
        str, typer.Argument(metavar="[PROJECT]", help="Default: the versions of all projects.")
    ] = "-",
    apply: Annotated[bool, typer.Option("--apply", help="Do it; else it is only told.")] = False,
    kept: Annotated[bool, typer.Option("--kept", help="Also what is kept, and why.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what the retention lets go of, or delete it."""
    items: list[RetentionItem] = []
    summary: RetentionSummary | None = None
    with session_of(context).client() as client:
        for found in client.run_retention(project, apply=apply):
            if isinstance(found, RetentionSummary):
                summary = found
            elif kept or not found.keep:
                items.append(found)
    if as_json:
        print_json({"items": items, "summary": summary})
        return
    print_table(
        ["what", "", "#bytes", "why"],
        (
            (one.resource, "kept" if one.keep else "goes", one.size_bytes, "; ".join(one.reasons))
            for one in items
        ),
    )
    if summary is not None:
        did = "Gave up" if summary.applied else "--apply would give up"
        note(
            f"{did} {summary.removed_versions} versions and delete {summary.removed_adapters} "
            f"adapters, {summary.removed_trunks} trunks and {summary.removed_files} files with "
            f"{summary.removed_bytes:,} bytes; {summary.kept_bytes:,} bytes stay."
        )


def lineage(
    context: Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Full name of a prediction, model version, alias, deployment or adapter.",
        ),
    ],
    label: Annotated[str, typer.Option(help="Only this label.")] = "",
    completions: Annotated[
        bool, typer.Option("--completions", help="Down to the completions that carry each label.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each label.")] = 20,
    skip: Annotated[int, typer.Option(min=0, help="Begin behind so many of each label.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Tell which training made what answers, from which annotations."""
    with session_of(context).client() as client:
        if "/predictions/" in name:
            steps = [s for s in client.trace_prediction(name) if label in ("", s.label)]
        else:
            steps = client.get_lineage(name, label=label)
        behind = {
            step.label: list(islice(_carrying(client, step), skip, skip + limit))
            for step in steps
            if completions
        }
    if as_json:
        print_json({"steps": steps, "completions": behind})
        return
    if not steps:
        note("No model is behind it: rules or an imported file said it.")
        return
    print_table(
        ["label", "version", "made by", "training job", "snapshot"],
        (
            (
                step.label,
                _id(step.model_version),
                _id(step.origin),
                step.lineage.training_job if step.lineage else "",
                step.lineage.snapshot if step.lineage else "",
            )
            for step in steps
        ),
    )
    if completions:
        rows = [
            (one, example.split.value, example.completion)
            for one, examples in behind.items()
            for example in examples
        ]
        print_table(["label", "split", "completion"], rows)


def _carrying(client: Client, step: LineageStep) -> Iterator[SnapshotExample]:
    """Yield the examples of a step's snapshot that carry its label."""
    if step.lineage is None or not step.lineage.snapshot:
        return
    for example in client.read_snapshot(step.lineage.snapshot):
        if (
            any(span.label == step.label for span in example.spans)
            or step.label in example.choices
            or (step.label == "assertion" and any(span.assertion for span in example.spans))
        ):
            yield example


def _report(policy: RegistryPolicy, as_json: bool) -> None:
    if as_json:
        print_json(policy)
        return
    gate, rules = policy.gate, policy.retention
    rows: list[tuple[str, object]] = []
    if gate is None:
        rows.append(("gate", "none"))
    else:
        rows += [
            ("measured on", gate.split.value),
            ("least micro F1", gate.min_micro_f1),
            ("least F1 of a label", gate.min_label_f1),
        ]
        if gate.max_label_regression is not None:
            rows.append(("a label may lose", gate.max_label_regression))
    if rules is None:
        rows.append(("versions kept", "all"))
    else:
        rows.append(("versions kept of each type", rules.keep_last))
        if rules.max_age is not None:
            rows.append(("days kept", rules.max_age / timedelta(days=1)))
        rows.append(("revisions kept", rules.keep_revisions))
    print_table(["", ""], rows)


def _id(name: str) -> str:
    return name.rpartition("/")[2]
