"""`spanloop import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spanloop.cli._choices import one_of
from spanloop.cli._output import note, print_json, print_table, progress_bar, warn
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.client import Client
from spanloop.errors import ConfigurationError, NotFound
from spanloop.types import ImportReport, OffsetEncoding, Split, TagScheme, TaskFormat

_SPLITS = {
    "train": Split.TRAIN,
    "training": Split.TRAIN,
    "dev": Split.DEV,
    "valid": Split.DEV,
    "validation": Split.DEV,
    "test": Split.TEST,
}
_SUFFIXES = {".bio", ".conll", ".iob", ".iob2", ".jsonl", ".tsv", ".txt"}
_SHOWN_REFUSALS = 20


def files_of(paths: list[Path], split: Split | None) -> list[tuple[Path, Split | None]]:
    """Return the files to import with their splits; a folder gives its train, dev and test files.

    Raises:
        ConfigurationError: When a folder has no such files, or two of one split.
    """
    found: list[tuple[Path, Split | None]] = []
    for path in paths:
        if not path.is_dir() or any(path.rglob("*.ann")):  # a brat folder is one file
            found.append((path, split))
            continue
        parts: dict[Split, Path] = {}
        for file in sorted(path.iterdir()):
            part = _SPLITS.get(file.stem.lower())
            if part is None or file.suffix.lower() not in _SUFFIXES or not file.is_file():
                continue
            if part in parts:
                raise ConfigurationError(
                    f"{path} has two {part.value} files, {parts[part].name} and {file.name}: "
                    "name the files instead of the folder."
                )
            parts[part] = file
        if not parts:
            raise ConfigurationError(
                f"{path} has no train, dev or test file ({', '.join(sorted(_SUFFIXES))})."
            )
        order = [part for part in (Split.TRAIN, Split.DEV, Split.TEST) if part in parts]
        found.extend((parts[part], part) for part in order)
    return found


def add_to(root: typer.Typer) -> None:
    """Add the command."""
    root.command("import")(import_)


def import_(
    context: Context,
    project: Project,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            exists=True,
            help="Files, brat folders, or folders with train, dev and test files, whose splits "
            "are then kept.",
        ),
    ],
    format: Annotated[
        TaskFormat | None,
        one_of(TaskFormat, "--format", help="Default: recognised from the content."),
    ] = None,
    split: Annotated[
        Split | None,
        one_of(Split, "--split", help="Split given to texts that bring none of their own."),
    ] = None,
    create_project: Annotated[
        bool, typer.Option(help="Create the project if there is none.")
    ] = True,
    create_labels: Annotated[
        bool | None,
        typer.Option(
            "--create-labels/--no-create-labels",
            help="Create labels that the project lacks. Default: only if it has no label yet.",
        ),
    ] = None,
    open_: Annotated[
        bool, typer.Option("--open", help="Import the texts only, as open tasks.")
    ] = False,
    ignore_predictions: Annotated[
        bool, typer.Option("--ignore-predictions", help="Leave out predictions in the files.")
    ] = False,
    offsets: Annotated[
        OffsetEncoding | None,
        one_of(
            OffsetEncoding, "--offsets", help="Units of offsets where the format leaves them open."
        ),
    ] = None,
    drafts: Annotated[bool, typer.Option(help="Import completions as drafts.")] = False,
    author: Annotated[str, typer.Option(help="Author of completions without one.")] = "",
    tag: Annotated[
        list[str] | None, typer.Option(help="Tag given to all tasks; may be repeated.")
    ] = None,
    atomic: Annotated[
        bool, typer.Option(help="Per file all or nothing: store nothing when a text is refused.")
    ] = False,
    validate_only: Annotated[
        bool, typer.Option(help="Check everything, store nothing; the project must exist.")
    ] = False,
    tag_scheme: Annotated[
        TagScheme | None,
        one_of(TagScheme, "--tag-scheme", help="Of column files; default: recognised."),
    ] = None,
    repair_tags: Annotated[
        bool, typer.Option(help="Read inconsistent tags as what they most likely mean.")
    ] = False,
    separator: Annotated[str, typer.Option(help="Of columns; default: recognised.")] = "",
    text_column: Annotated[str, typer.Option(help="CSV: name or number of the texts.")] = "",
    label_column: Annotated[str, typer.Option(help="CSV: name or number of the classes.")] = "",
    choices_name: Annotated[
        str, typer.Option(help="Name of the choices that classes without a name go to.")
    ] = "",
    whole_file: Annotated[bool, typer.Option(help="Plain text: the file is one text.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import tasks, with their completions if the files have them.

    Texts that were imported before are left as they are. Exits with 0 also when single lines were
    refused (they are listed), with 1 when not a single text of all files is in the project.
    """
    files = files_of(paths, split)
    with session_of(context).client() as client:
        # A check stores nothing, not even a project.
        if create_project and not validate_only:
            _ensure_project(client, project)
        if create_labels is None:
            create_labels = next(iter(client.list_labels(project)), None) is None
        reports: list[tuple[Path, ImportReport]] = []
        with progress_bar() as bar:
            for path, part in files:
                row = bar.add_task(path.name, total=None)
                report = client.import_file(
                    project,
                    path,
                    format=format,
                    split=part,
                    create_labels=create_labels,
                    ignore_completions=open_,
                    ignore_predictions=ignore_predictions,
                    offset_encoding=offsets,
                    as_drafts=drafts,
                    author=author,
                    tags=tag or (),
                    atomic=atomic,
                    validate_only=validate_only,
                    tag_scheme=tag_scheme,
                    repair_tags=repair_tags,
                    separator=separator,
                    text_column=text_column,
                    label_column=label_column,
                    choices_name=choices_name,
                    whole_file=whole_file,
                    progress=lambda sent, size, row=row: bar.update(  # type: ignore[misc]
                        row, completed=sent, total=size
                    ),
                )
                reports.append((path, report))
    if as_json:
        print_json([{"file": str(path), "report": report} for path, report in reports])
    else:
        _show(reports, stored=not validate_only)
    if not any(report.imported_tasks or report.unchanged_tasks for _, report in reports):
        warn("Nothing was imported.")
        raise typer.Exit(1)


def _ensure_project(client: Client, project: str) -> None:
    """Create the project unless it exists."""
    try:
        client.get_project(project)
    except NotFound:
        client.create_project(project)
        note(f"Created project {project}.")


def _show(reports: list[tuple[Path, ImportReport]], *, stored: bool) -> None:
    print_table(
        ["file", "format", "#tasks", "#completions", "#spans", "#unchanged", "#refused"],
        (
            (
                path.name,
                report.format.value,
                report.imported_tasks,
                report.imported_completions,
                report.imported_spans,
                report.unchanged_tasks,
                report.refused_tasks,
            )
            for path, report in reports
        ),
    )
    warnings = [(path, one) for path, report in reports for one in report.warnings]
    if warnings:
        print_table(
            ["file", "#line", "note"],
            ((path.name, one.line, one.message) for path, one in warnings[:_SHOWN_REFUSALS]),
            title="Warnings",
        )
        hidden = sum(report.warning_count for _, report in reports) - _SHOWN_REFUSALS
        if hidden > 0:
            note(f"… and {hidden} more; --json lists them.")
    labels = sorted({label for _, report in reports for label in report.created_labels})
    if labels:
        note(f"{'Created labels' if stored else 'Labels to create'}: {', '.join(labels)}.")
    refused = [(path, error) for path, report in reports for error in report.errors]
    if refused:
        print_table(
            ["file", "#line", "reason", "field", "what is wrong"],
            (
                (path.name, error.line, error.reason, error.field, error.message)
                for path, error in refused[:_SHOWN_REFUSALS]
            ),
            title="Refused",
        )
        hidden = sum(report.refused_tasks for _, report in reports) - _SHOWN_REFUSALS
        if hidden > 0:
            note(f"… and {hidden} more; --json lists them.")
