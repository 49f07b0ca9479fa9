"""Imports, exports, snapshots and the check of formats on the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.cli import CommandLine, command_line, last, mistake, misuse

SPAN = {"start": 0, "end": 7, "label": "DRUG"}
TEXTS = [
    {"id": "t1", "text": "Aspirin 500 mg daily.", "spans": [SPAN], "split": "train"},
    {"id": "t2", "text": "Ibuprofen at night.", "tags": ["night"]},
]
NEW = [
    {"id": "n1", "text": "Aspirin!", "spans": [{**SPAN, "label": "NEW"}]},
    {"id": "n2", "text": "-"},
]


def lines(*documents: object) -> str:
    return "\n".join(map(json.dumps, documents)) + "\n"


@pytest.fixture
async def cli(tmp_path: Path) -> AsyncIterator[CommandLine]:
    async with command_line(tmp_path) as found:
        found.write("texts.jsonl", lines(*TEXTS))
        yield found


async def test_an_import_and_its_options(cli: CommandLine) -> None:
    cli.write("new.jsonl", lines(*NEW))
    cli.write("poem.txt", "One line.\nTwo lines.\n")
    cli.write("mail.csv", "text;kind\nbuy now;spam\nhi there;ham\n")
    cli.write("tags.conll", "we\tO\npay\tI-DUTY\n\n")
    done = await cli.do(
        "import", "clinic", "texts.jsonl", "--tag", "first batch", "--author", "ann"
    )
    assert done.err == "Created project clinic.\nCreated labels: DRUG.\n"
    assert done.rows() == [["texts.jsonl", "jsonl", "2", "1", "1", "0", "0"]]

    # Labels that it lacks are created for a project without any only; atomic: nothing is stored.
    whole = await cli.run("import", "clinic", "new.jsonl", "--atomic")
    assert whole.status == 1
    assert "LABEL_UNKNOWN" in whole.out
    assert whole.err == "warning: Nothing was imported.\n"

    again, checked, drafts, part, poem, mail, repaired, listed = await cli.batch(
        "import clinic texts.jsonl --author ann",
        "import clinic new.jsonl --create-labels --validate-only",
        "import clinic new.jsonl --create-labels --drafts --json",
        "import clinic poem.txt --open --format text",
        "import clinic poem.txt --whole-file",
        "import mails mail.csv --separator ; --text-column text --label-column 2 --choices-name k",
        "import duties tags.conll --tag-scheme IOB2 --repair-tags --split dev",
        "tasks clinic --json",
    )
    assert again.rows() == [["texts.jsonl", "jsonl", "0", "0", "0", "2", "0"]]
    assert checked.err == "Labels to create: NEW.\n"
    (report,) = drafts.json
    assert (report["report"]["imported_tasks"], report["report"]["created_labels"]) == (2, ["NEW"])
    assert part.rows() == [["poem.txt", "text", "2", "0", "0", "0", "0"]]
    assert poem.rows() == [["poem.txt", "text", "1", "0", "0", "0", "0"]]
    assert mail.rows() == [["mail.csv", "csv", "2", "2", "0", "0", "0"]]
    assert "I-DUTY does not continue an entity: repaired." in repaired.out
    tasks = {task["external_id"]: task for task in listed.json}
    assert tasks["t1"]["tags"] == ["first batch"]
    assert tasks["t2"]["tags"] == ["first batch", "night"]
    assert tasks["n1"]["status"] == "in_progress"
    texts = [task["text"] for task in listed.json]
    assert {"One line.", "Two lines."} < set(texts)
    assert [text for text in texts if "\n" in text] == ["One line.\nTwo lines.\n"]


async def test_exports(cli: CommandLine) -> None:
    await cli.do("import", "clinic", "texts.jsonl")
    out, dash, _, conll, filtered, _ = await cli.batch(
        "export clinic",
        "export clinic -o -",
        "export clinic --format label-studio -o tasks.json",
        "export clinic --format CONLL --tag-scheme iobes",
        "export clinic --format label_studio --tag night",
        "import copy tasks.json --format label-studio",
    )
    assert [json.loads(line)["id"] for line in out.out.splitlines()] == ["t1", "t2"]
    assert dash.out == out.out
    assert not (cli.folder / "-").exists()
    assert out.err.startswith("Exported 2 tasks, ")
    assert conll.out.startswith("Aspirin\tS-DRUG\n")
    assert "warning: conll has no place for 1 × tasks without a completion." in conll.err
    assert [one["id"] for one in json.loads(filtered.out)] == ["t2"]
    again = (await cli.do("export", "copy")).out
    assert [json.loads(line)["text"] for line in again.splitlines()] == [
        text["text"] for text in TEXTS
    ]


async def test_snapshots(cli: CommandLine) -> None:
    many = [{"id": f"m{n}", "text": f"Aspirin {n}.", "spans": [SPAN]} for n in range(10)]
    cli.write("many.jsonl", lines(*many))
    _, preview, first, _, second, given, mixed = await cli.batch(
        "import clinic texts.jsonl --tag Train",
        "snapshots preview clinic",
        "snapshots create clinic --description first --json",
        "import clinic many.jsonl --tag Test",
        "snapshots create clinic --by-tags --seed 3 --json",
        "snapshots create clinic --no-tag Test --tie-break most-recent",
        "snapshots create clinic --tag Test --stratify --seed 3 --json",
    )
    assert [row[2:] for row in preview.rows()] == [["import", "yes", "only submitted"]]
    assert "1 train, 0 dev, 0 test, sha256:" in given.err
    assert sum(mixed.json["example_counts"].values()) == 10
    one, two = last(first.json["name"]), second.json["name"]
    listed, shown, diff, summary, stream, _ = await cli.batch(
        "snapshots clinic",
        f"snapshots show clinic {two}",
        f"snapshots diff clinic {one} {two}",
        f"snapshots diff clinic {one} {two} --json",
        f"snapshots export clinic {one} --format conll",
        f"snapshots export clinic {two} --split test --format jsonl -o test.jsonl",
    )
    assert [row[7] for row in listed.rows()].count("first") == 1
    assert ["examples", "1 train, 0 dev, 10 test"] in shown.rows()
    assert ["spans of DRUG", "11"] in shown.rows()
    assert [row[1:] for row in diff.rows()] == [["added", "", "1"]] * 10
    assert diff.err == "10 added, 0 removed, 0 changed, 1 unchanged.\n"
    assert [change["change"] for change in summary.json["differences"]] == ["added"] * 10
    assert stream.out.startswith("Aspirin\tB-DRUG\n")
    exported = (cli.folder / "test.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["text"] for line in exported} == {text["text"] for text in many}


async def test_mistakes_with_files_and_snapshots(cli: CommandLine) -> None:
    cli.write("LICENSE", "You may do with these texts whatever you like.\n")
    cli.write("odd.json", json.dumps([{"colour": "red"}, {"colour": "blue"}]))
    cli.write("binary.dat", b"\x00\x01\x02\xff")
    cli.write("empty.jsonl", "")
    cli.write("mail.csv", "text;kind\nbuy now;spam\nhi there;ham\n")
    cli.write("nothing/notes.md", "Nothing to import.\n")
    await cli.batch(
        "import clinic texts.jsonl", "members add clinic ben", "snapshots create clinic"
    )
    name_it = ("name its format with --format", "spanloop formats list")
    await cli.refused(
        mistake("import nope texts.jsonl --validate-only", "projects/nope does not exist"),
        mistake("import nope texts.jsonl --no-create-project", "projects/nope does not exist"),
        mistake(
            "import clinic odd.json", "odd.json is JSON with keys that no format has", *name_it
        ),
        mistake("import clinic LICENSE", "LICENSE is a licence", *name_it),
        mistake("import clinic binary.dat", "save it as UTF-8"),
        mistake("import clinic empty.jsonl", "IMPORT_EMPTY", "not empty"),
        mistake("import clinic mail.csv --text-column body", "'body'", "text, kind"),
        mistake("import clinic nothing", "nothing has no train, dev or test file"),
        mistake("--user ben import clinic texts.jsonl", "MANAGER, OWNER", "members list"),
        mistake("--user ben export clinic", "MANAGER, OWNER", "members list"),
        mistake("export nope", "projects/nope does not exist", "spanloop projects list"),
        mistake("export clinic -o no/file.jsonl", "The folder no does not exist: make it first"),
        mistake("export clinic -o nothing", "nothing is a folder: name a file in it"),
        mistake("export clinic --regex (", "RE2"),
        mistake("snapshots create clinic --tag none", "spanloop snapshots preview PROJECT"),
        mistake("snapshots create clinic --by-tags --stratify", "exclude each other"),
        mistake("snapshots show clinic zzz", "spanloop snapshots list clinic"),
        mistake("snapshots diff clinic zzz yyy", "snapshots/zzz does not exist"),
        mistake("snapshots export clinic zzz -o no/f", "The folder no does not exist"),
        mistake("--user ben snapshots clinic", "asks for one of the roles"),
        misuse("import clinic missing.jsonl", "missing.jsonl", "does not exist"),
        misuse("import clinic", "FILE..."),
        misuse("import clinic texts.jsonl --format word", "--format", "jsonl, conll, germeval"),
        misuse("import clinic texts.jsonl --split half", "--split", "train, dev, test"),
        misuse("import clinic texts.jsonl --tag-scheme x", "--tag-scheme", "iob1, iob2, iobes"),
        misuse("export clinic --format unspecified", "'unspecified' is none of jsonl"),
        misuse("export clinic --status done", "--status", "incomplete, in_progress"),
        misuse("snapshots preview clinic --tie-break x", "most_recent, highest_priority"),
        misuse("snapshots preview clinic --limit 0", "--limit"),
    )
    projects = (await cli.do("projects", "list")).rows()
    assert [row[0] for row in projects] == ["clinic"], "neither a check nor a refusal creates one"


async def test_formats_check_says_what_an_import_would_make_of_each_file(cli: CommandLine) -> None:
    cli.write("data/texts.jsonl", lines(*TEXTS))
    cli.write("data/deep/poem.txt", "One line.\nTwo lines.\n")
    cli.write("data/brat/a.txt", "Acme pays.")
    cli.write("data/brat/a.ann", "T1\tORG 0 4\tAcme\n")
    cli.write("data/README.md", "# Texts\n\nAbout medicine.\n")
    cli.write("data/.git/config", "[core]\n")
    good = await cli.do("formats", "check", "data")
    assert [row[:6] for row in good.rows()] == [
        ["brat", "brat", "imported", "1", "0", "0"],
        ["README.md", "", "skipped", "0", "0", "0"],
        ["deep/poem.txt", "text", "imported", "2", "0", "0"],
        ["texts.jsonl", "jsonl", "imported", "2", "0", "0"],
    ]
    assert "README.md is a page about the data" in good.rows()[1][6]
    assert good.err == "3 imported, 1 skipped.\n"

    task = {"id": 1, "data": {"text": "Aspirin."}, "annotations": []}
    cli.write("data/cut.json", json.dumps([task, task], indent=1)[:-40])
    cli.write("data/wrong.jsonl", lines({**TEXTS[0], "spans": [{**SPAN, "end": 99}]}))
    bad = await cli.do("formats", "check", "data")
    strict = await cli.run("formats", "check", "data", "--strict")
    assert (strict.status, strict.out) == (1, bad.out)
    found = {row[0]: row for row in bad.rows()}
    assert found["cut.json"][1:4] == ["label_studio", "partly", "1"]
    assert "REQUEST_MALFORMED" in found["cut.json"][6]
    assert found["wrong.jsonl"][1:5] == ["jsonl", "refused", "0", "1"]
    assert found["wrong.jsonl"][6].startswith("line 1: OFFSET_INVALID: ")
    assert found["texts.jsonl"][2] == "imported"

    as_json = await cli.do("formats", "check", "data", "--json")
    assert {one["file"]: one["outcome"] for one in as_json.json} == {
        row[0]: row[2] for row in bad.rows()
    }
    projects = (await cli.do("projects", "list")).rows()
    assert projects == [], "the running service is left alone"


async def test_formats(cli: CommandLine) -> None:
    (cli.folder / "empty").mkdir()
    (listed,) = await cli.batch("formats list")
    assert ["label_studio"] in listed.rows()
    assert "unspecified" not in listed.out
    await cli.refused(
        mistake("formats check empty", "empty holds no files"),
        misuse("formats check missing", "missing", "does not exist"),
        misuse("formats check texts.jsonl", "texts.jsonl", "is a file"),
    )
