"""The page about the command line has every command that there is, and no other."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from spanloop.cli import app

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "cli.md"
# The first cell of a row: the words of the command in lower case, then its arguments.
ROW = re.compile(r"^\| `([a-z]+(?: [a-z]+)?)((?: [A-Z\[][^ `]*)*)` \| (.+) \|$", re.MULTILINE)
# typer has no public name for what all of its refusals are.
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+|`-[a-z]`")


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield each command with its words, groups not."""
    found = typer.main.get_command(app) if command is None else command
    if hasattr(found, "commands"):
        for name, below in found.commands.items():
            yield from commands(below, (*path, name))
    else:
        yield " ".join(path), found


COMMANDS = dict(commands())


def arguments(command: Any) -> list[str]:
    """Return the arguments as --help shows them, without the brackets of optional ones."""
    return [
        (param.metavar or param.name).replace("[", "").replace("]", "")
        for param in command.params
        if param.param_type_name == "argument"
    ]


def options(command: Any) -> set[str]:
    """Return the options of a command."""
    return {
        option
        for param in command.params
        if param.param_type_name == "option"
        for option in (*param.opts, *param.secondary_opts)
    }


def documented(page: str) -> dict[str, list[str]]:
    """Return the commands that the page has, with their arguments."""
    found: dict[str, list[str]] = {}
    for words, given, _ in ROW.findall(page):
        assert words not in found, f"{words} stands in two rows"
        found[words] = given.replace("[", "").replace("]", "").split()
    return found


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_the_page_has_every_command_and_no_other() -> None:
    assert documented(page()) == {words: arguments(one) for words, one in COMMANDS.items()}


def test_options_in_the_rows_are_options_of_the_command() -> None:
    made_up = {
        words: unknown
        for words, _, told in ROW.findall(page())
        if (unknown := {one.strip("`") for one in OPTION.findall(told)} - options(COMMANDS[words]))
    }
    assert made_up == {}


def examples() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", page(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.mark.parametrize("line", examples())
def test_examples_can_be_typed(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, *rest = shlex.split(line.partition(" | ")[0], comments=True)
    assert program == "spanloop"
    monkeypatch.chdir(tmp_path)
    for word in rest:
        if re.fullmatch(r"\w+\.(csv|json|jsonl)", word):
            (tmp_path / word).touch()
    assert typed(rest) in COMMANDS


def typed(words: list[str]) -> str:
    """Return the command that these words are; options and values that it refuses raise."""
    command: Any = typer.main.get_command(app)
    path: list[str] = []
    while hasattr(command, "commands"):
        context = command.make_context("spanloop", words)
        words = [*context._protected_args, *context.args]
        name, *words = words
        path.append(name)
        command = command.commands[name]
    command.make_context("spanloop", words)
    return " ".join(path)


@pytest.mark.parametrize(
    "line", ["tasks p --tags gold", "tasks p --status done", "export p --form conll", "jump p"]
)
def test_an_example_that_cannot_be_typed_is_noticed(line: str) -> None:
    with pytest.raises((USAGE_ERROR, KeyError)):
        typed(line.split())


@pytest.mark.parametrize(
    ("row", "changed"),
    [
        ("| `tasks tag PROJECT TASK...` |", "| `tasks label PROJECT TASK...` |"),
        ("| `labeling set PROJECT FILE` |", "| `labeling set PROJECT` |"),
        ("| `doctor` |", "`doctor`"),
    ],
)
def test_a_page_that_differs_is_noticed(row: str, changed: str) -> None:
    assert row in page()
    assert documented(page().replace(row, changed)) != documented(page())


def test_the_readme_links_the_page() -> None:
    assert "(docs/cli.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
