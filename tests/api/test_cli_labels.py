"""Labels, labelling configs and rules on the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.cli import CommandLine, command_line, mistake, misuse

TEXT = {
    "id": "t1",
    "text": "Aspirin 500 mg.",
    "spans": [{"start": 0, "end": 7, "label": "DRUG"}, {"start": 8, "end": 14, "label": "DOSE"}],
}
CONFIG = """<View>
  <Text name="text" value="$text"/>
  <Labels name="ner" toName="{to}"><Label value="DRUG"/><Label value="PERSON"/></Labels>
</View>
"""
RULE = {"id": "drugs", "label": "DRUG", "dictionary": {"terms": ["aspirin", "ibuprofen"]}}


@pytest.fixture
async def cli(tmp_path: Path) -> AsyncIterator[CommandLine]:
    async with command_line(tmp_path) as found:
        found.write("text.jsonl", json.dumps(TEXT))
        await found.do("import", "clinic", "text.jsonl")
        yield found


async def test_labels_are_added_renamed_linked_and_counted(cli: CommandLine) -> None:
    done = await cli.do("labels", "add", "clinic", "MEDICINE", "PILL", "--description", "What?")
    assert done.err == "Added MEDICINE.\nAdded PILL.\n"
    renamed, inherits, _, listed, counted, cleared, after = await cli.batch(
        "labels rename clinic DRUG SUBSTANCE",
        "labels link clinic MEDICINE --inherit SUBSTANCE --inherit DOSE",
        "labels link clinic PILL --alias-as SUBSTANCE",
        "labels clinic",
        "labels count clinic --json",
        "labels link clinic MEDICINE --inherit=",
        "labels list clinic --json",
    )
    assert renamed.err == "Renamed DRUG to SUBSTANCE.\n"
    assert inherits.err == "Positives of MEDICINE: DOSE, MEDICINE, SUBSTANCE.\n"
    assert [row[:4] for row in listed.rows()] == [
        ["SUBSTANCE", "", "", ""],
        ["DOSE", "", "", ""],
        ["MEDICINE", "SUBSTANCE, DOSE", "", "What?"],
        ["PILL", "", "SUBSTANCE", "What?"],
    ]
    spans = {one["value"]: one["span_count"] for one in counted.json}
    assert spans == {"SUBSTANCE": 1, "DOSE": 1, "MEDICINE": 0, "PILL": 0}
    assert cleared.err == "Positives of MEDICINE: MEDICINE.\n"
    assert [one["inherits"] for one in after.json] == [[], [], [], []]


async def test_labelling_configs_are_checked_set_and_shown(cli: CommandLine) -> None:
    cli.write("good.xml", CONFIG.format(to="text"))
    cli.write("marked.xml", "\ufeff" + CONFIG.format(to="text"))
    cli.write("bad.xml", CONFIG.format(to="txt"))
    windows = CONFIG.format(to="text").replace("\n", "\r\n")
    cli.write("windows.xml", windows.encode())
    checked, marked, as_json, _, shown, labels = await cli.batch(
        "labeling validate clinic good.xml",
        "labeling validate clinic marked.xml",
        "labeling validate clinic good.xml --json",
        "labeling set clinic good.xml",
        "labeling show clinic",
        "labels clinic",
    )
    assert checked.err == "The config can be used. Labels: DRUG, PERSON; choices: none.\n"
    assert marked.err == checked.err
    assert as_json.json["labels"] == ["DRUG", "PERSON"]
    assert shown.out == CONFIG.format(to="text")
    assert [row[0] for row in labels.rows()] == ["DRUG", "DOSE", "PERSON"]

    await cli.do("labeling", "set", "clinic", "windows.xml")
    shown = await cli.do("labeling", "show", "clinic")
    assert shown.out == windows, "byte for byte"

    done = await cli.run("labeling", "validate", "clinic", "bad.xml")
    assert done.status == 1
    assert [row[:4] for row in done.rows()] == [["3", "22", "error", "UNKNOWN_TO_NAME"]]


async def test_rules_are_tried_stored_and_applied(cli: CommandLine) -> None:
    cli.write("meds.json", "\ufeff" + json.dumps([RULE]))
    cli.write("more.json", json.dumps({"rules": [RULE, {**RULE, "id": "more", "priority": 1}]}))
    done = await cli.do("rules", "preview", "clinic", "Take ibuprofen.", "--file", "meds.json")
    assert [row[:4] for row in done.rows()] == [["5", "14", "DRUG", "ibuprofen"]]
    created, tried, none, first, second, updated, listed, shown, deleted, left = await cli.batch(
        "rules create clinic meds meds.json",
        "rules preview clinic Aspirin! --rule-set meds --json",
        "rules apply clinic meds --tag nothing",
        "rules apply clinic meds --status submitted",
        "rules apply clinic meds",
        "rules update clinic meds more.json",
        "rules clinic",
        "rules show clinic meds",
        "rules delete clinic meds",
        "rules list clinic --json",
    )
    assert created.err == "Created projects/clinic/ruleSets/meds with 1 rules.\n"
    assert [(one["start"], one["end"]) for one in tried.json] == [(0, 7)]
    assert none.err == "rules/meds@1: 0 predictions with 0 spans written, 0 were there already.\n"
    assert first.err == "rules/meds@1: 1 predictions with 1 spans written, 0 were there already.\n"
    assert second.err == "rules/meds@1: 0 predictions with 0 spans written, 1 were there already.\n"
    assert updated.err == "projects/clinic/ruleSets/meds is at revision 2.\n"
    assert [row[:4] for row in listed.rows()] == [["meds", "meds", "2", "2"]]
    assert [rule["id"] for rule in shown.json] == ["drugs", "more"]
    assert deleted.err == "Deleted meds.\n"
    assert left.json == []


async def test_mistakes_with_labels_configs_and_rules(cli: CommandLine) -> None:
    cli.write("bad.xml", CONFIG.format(to="txt"))
    cli.write("latin.xml", "<View>Müller</View>".encode("latin-1"))
    cli.write("empty.xml", " \n")
    cli.write("cut.json", "[")
    cli.write("number.json", "7")
    cli.write("latin.json", '["Müller"]'.encode("latin-1"))
    cli.write("unknown.json", json.dumps([{**RULE, "label": "NOPE"}]))
    cli.write("pattern.json", json.dumps([{"label": "DRUG", "regex": {"pattern": "("}}]))
    cli.write("meds.json", json.dumps([RULE]))
    await cli.refused(
        mistake("labels nope", "projects/nope does not exist", "spanloop projects list"),
        mistake("labels add clinic DRUG", "a label 'DRUG' already"),
        mistake("labels rename clinic NOPE X", "spanloop labels clinic"),
        mistake("labels link clinic DRUG", "give --inherit or --alias-as"),
        mistake("labels link clinic DRUG --inherit DRUG", "'DRUG'"),
        mistake("labels link clinic DRUG --alias-as NOPE", "'NOPE' is no other label"),
        mistake("labeling set clinic bad.xml", "line 3, column 22", "use one of 'text'"),
        mistake("labeling set clinic latin.xml", "latin.xml is not UTF-8: save it as UTF-8"),
        mistake("labeling validate clinic latin.xml", "latin.xml is not UTF-8"),
        mistake("labeling validate clinic empty.xml", "empty.xml is empty"),
        mistake("labeling set clinic empty.xml", "empty.xml is empty"),
        mistake("rules create clinic meds cut.json", "cut.json is no JSON"),
        mistake("rules create clinic meds number.json", "number.json must hold a list of rules"),
        mistake("rules create clinic meds latin.json", "latin.json is not UTF-8"),
        mistake("rules create clinic meds unknown.json", "'NOPE'", "spanloop labels list"),
        mistake("rules create clinic meds pattern.json", "rules[0].regex.pattern", "RE2"),
        mistake("rules create clinic M! meds.json", "must be 1 to 63"),
        mistake("rules preview clinic text", "either --rule-set or --file"),
        mistake("rules preview clinic x --file meds.json --rule-set y", "either --rule-set"),
        mistake("rules update clinic nope meds.json", "spanloop rules list clinic"),
        mistake("rules apply clinic nope", "spanloop rules list clinic"),
        misuse("labeling set clinic missing.xml", "missing.xml", "does not exist"),
        misuse("rules create clinic meds missing.json", "missing.json", "does not exist"),
        misuse("rules preview clinic x --file missing.json", "missing.json", "does not exist"),
        misuse("rules apply clinic meds --status done", "--status", "incomplete, in_progress"),
    )
