"""Members, tokens, tasks, completions, agreement and audit on the command line."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.cli import CommandLine, command_line, last, mistake, misuse

TEXTS = [
    {
        "id": "t1",
        "text": "Aspirin 500 mg daily.",
        "completions": [
            {"author": "ann", "spans": [{"start": 0, "end": 7, "label": "DRUG"}]},
            {
                "author": "ben",
                "spans": [
                    {"start": 0, "end": 7, "label": "DRUG"},
                    {"start": 8, "end": 14, "label": "DOSE"},
                ],
            },
        ],
    },
    {"id": "t2", "text": "Ibuprofen at night."},
    {"id": "t3", "text": "Rest."},
]


@pytest.fixture
async def cli(tmp_path: Path) -> AsyncIterator[CommandLine]:
    async with command_line(tmp_path) as found:
        found.write("texts.jsonl", "\n".join(map(json.dumps, TEXTS)))
        yield found


async def clinic(cli: CommandLine) -> dict[str, str]:
    """Import the texts; return the ids of the tasks by their external ids."""
    await cli.do("import", "clinic", "texts.jsonl")
    found = (await cli.do("tasks", "clinic", "--json")).json
    return {task["external_id"]: last(task["name"]) for task in found}


async def test_projects_members_and_tokens(cli: CommandLine) -> None:
    done = await cli.do("--user", "alice", "projects", "create", "clinic", "--name", "The clinic")
    assert done.err == "Created projects/clinic.\n"
    *_, changed, members, made = await cli.batch(
        "members add clinic ben --role Annotator --role reviewer",
        "members add clinic eve",
        "--user alice members set clinic eve --role manager --priority 7",
        "members clinic",
        "tokens create ben --name laptop --days 2",
    )
    assert changed.err == "eve is manager, with priority 7.\n"
    assert [row[:3] for row in members.rows()] == [
        ["alice", "owner", "0"],
        ["ben", "annotator, reviewer", "0"],
        ["eve", "manager", "7"],
    ]
    secret = made.out.strip()
    assert secret.startswith("slp_")
    assert secret not in made.err
    tokens, projects = await cli.batch("tokens list --json", "projects list", SPANLOOP_TOKEN=secret)
    assert [one["display_name"] for one in tokens.json] == ["laptop"]
    assert [row[:2] for row in projects.rows()] == [["clinic", "The clinic"]]
    told = "leave --user and SPANLOOP_USER out"
    await cli.refused(
        mistake("--user alice projects list", told, SPANLOOP_TOKEN=secret),
        mistake("members add clinic zoe", "MANAGER, OWNER", "members list", SPANLOOP_TOKEN=secret),
    )
    *_, left = await cli.batch(
        f"tokens revoke {tokens.json[0]['name']}",
        "members remove clinic eve",
        "members list clinic --json",
    )
    assert [one["user"] for one in left.json] == ["alice", "ben"]
    await cli.refused(
        mistake("projects list", "CREDENTIALS_INVALID", "SPANLOOP_TOKEN", SPANLOOP_TOKEN=secret)
    )


async def test_mistakes_with_members_and_tokens(cli: CommandLine) -> None:
    await cli.do("--user", "alice", "projects", "create", "clinic")
    await cli.refused(
        mistake("members nope", "projects/nope does not exist", "spanloop projects list"),
        mistake("members set clinic alice", "give --role or --priority"),
        mistake("members set clinic zoe --role owner", "spanloop members list clinic"),
        mistake("members remove clinic alice", "the last owner"),
        mistake("members add clinic A!", "the id of a user"),
        mistake("projects create clinic", "choose another"),
        mistake("tokens list", "spanloop tokens list USER"),
        mistake("tokens revoke laptop", "users/{user}/accessTokens/{token}"),
        mistake("--user zoe members clinic", "projects/clinic does not exist"),
        misuse("members add clinic zoe --role boss", "--role", "owner, manager, annotator"),
        misuse("members add clinic zoe --role unspecified", "is none of owner"),
        misuse("tokens create zoe --days 0", "--days"),
    )


async def test_tasks(cli: CommandLine) -> None:
    ids = await clinic(cli)
    done, _ = await cli.batch(
        f"tasks tag clinic {ids['t1']} {ids['t2']} --add gold",
        f"tasks tag clinic {ids['t2']} --remove gold --add new",
    )
    assert done.err == "Changed 2 of 2 tasks.\n"

    async def listed(*filters: str) -> list[list[str]]:
        found = await cli.batch(*(f"tasks clinic {one}" for one in filters))
        return [[row[1] for row in done.rows()] for done in found]

    assert await listed(
        "--tag gold --tag new",
        "--no-tag gold",
        "--status Submitted",
        "--label DOSE",
        "--author nobody",
        "--regex ^R",
        "--limit 1",
        "--where tags-all=gold,new",
        "--where created-from=2020-01-01 --where labels-all=DOSE",
        "--where updated-before=2020-01-01T10:30",
        "--where starred=yes",
    ) == [["t1", "t2"], ["t2", "t3"], ["t1"], ["t1"], [], ["t3"], ["t1"], [], ["t1"], [], []]

    shown, history, *_ = await cli.batch(
        f"tasks show clinic {ids['t1']}",
        f"tasks history clinic {ids['t2']}",
        f"tasks delete clinic {ids['t2']} {ids['t3']}",
    )
    assert ["text", "Aspirin 500 mg daily."] in shown.rows()
    assert [row[1:5] for row in shown.rows()[7:]] == [
        ["ann", "submitted", "no", "1"],
        ["ben", "submitted", "no", "2"],
    ]
    assert history.rows()[0][2:4] == ["system", "gold"]

    assert await listed("--deleted") == [["t2", "t3"]]
    await cli.do("tasks", "undelete", "clinic", ids["t3"])
    stopped = await cli.run("tasks", "purge", "clinic", ids["t2"], stdin="n\n")
    assert stopped.status == 1
    assert await listed("--deleted") == [["t2"]]
    done = await cli.run("tasks", "purge", "clinic", ids["t2"], stdin="y\n")
    assert done.status == 0, done.err
    assert await listed("--deleted", "") == [[], ["t1", "t3"]]


async def test_events_are_followed_and_resumed(cli: CommandLine) -> None:
    await clinic(cli)
    first, all_ = await cli.batch(
        "events clinic --limit 2 --json",
        "projects set clinic --name Clinic --tie-break MOST-RECENT",
    )
    told = [json.loads(line) for line in first.out.splitlines()]
    assert [(one["sequence"], one["type"]) for one in told] == [
        (1, "project_created"),
        (2, "label_created"),
    ]
    assert all_.err == "Changed clinic.\n"
    token = told[0]["resume_token"]
    again = await cli.do("events", "clinic", "--limit", "1", "--after", token)
    assert again.out.split("\t")[0::3] == ["2", "label_created"]
    listed = await cli.do("projects", "list")
    assert [row[:2] for row in listed.rows()] == [["clinic", "Clinic"]]
    audit = await cli.do("audit", "clinic", "--limit", "1")
    assert "--limit shows more" in audit.err


async def test_mistakes_with_tasks(cli: CommandLine) -> None:
    ids = await clinic(cli)
    await cli.do("members", "add", "clinic", "ben")
    await cli.refused(
        mistake("tasks clinic --where tag=x", "--where tag=x", "tags-all"),
        mistake("tasks clinic --where created-from=soon", "2026-11-30"),
        mistake("projects set clinic", "--tie-break"),
        mistake("tasks nope", "projects/nope does not exist", "spanloop projects list"),
        mistake("tasks show clinic t1", "spanloop tasks list clinic", "external ids"),
        mistake(f"tasks tag clinic {ids['t1']}", "tags to add or to remove"),
        mistake(f"tasks purge clinic {ids['t1']} --yes", "delete it first"),
        mistake(f"tasks undelete clinic {ids['t1']}", "STATE_CONFLICT"),
        mistake(f"--user ben tasks delete clinic {ids['t1']}", "roles MANAGER, OWNER"),
        mistake("tasks clinic --regex (", "RE2"),
        misuse("tasks clinic --status done", "--status", "incomplete, in_progress"),
        misuse("tasks clinic --limit 0", "--limit"),
        misuse("tasks delete clinic", "TASK"),
    )


async def test_completions_agreement_and_audit(cli: CommandLine) -> None:
    ids = await clinic(cli)
    listed, agreed, only, _ = await cli.batch(
        f"completions list clinic {ids['t1']} --json",
        "agreement clinic --pairs",
        "agreement clinic --label DRUG --json",
        "members add clinic rita --role reviewer",
    )
    assert [row[:4] for row in agreed.rows()] == [
        ["all labels", "1", "3", "0.667"],
        ["DOSE", "1", "1", "0.000"],
        ["DRUG", "1", "2", "1.000"],
        ["all labels", "ann", "ben", "1"],
        ["DOSE", "ann", "ben", "1"],
        ["DRUG", "ann", "ben", "1"],
    ]
    assert only.json["overall"]["exact_f1"]["value"] == 1.0

    names = {one["author"]: one["name"] for one in listed.json}
    short = f"clinic/{ids['t1']}/{last(names['ann'])}"
    rejected, shown, _, _, _, left, _, past, restored = await cli.batch(
        f"--user rita completions review {short} reject --comment Dose?",
        f"tasks show clinic {ids['t1']}",
        f"--user rita completions review {short} withdraw",
        f"completions star {names['ben']}",
        f"completions delete {short}",
        f"completions list clinic {ids['t1']}",
        f"completions undelete {short}",
        f"completions history {short}",
        f"completions restore {short} 1",
    )
    assert rejected.err == f"{names['ann']} is rejected now.\n"
    assert ["rejected", "no", "1", "rita", "Dose?"] in [row[2:] for row in shown.rows()]
    assert [row[1:5] for row in left.rows()] == [["ben", "submitted", "yes", "2"]]
    assert [row[4:] for row in past.rows()] == [
        ["completion_restored", "system"],
        ["completion_deleted", "system"],
        ["completion_review_withdrawn", "rita"],
        ["completion_rejected", "rita"],
    ]
    assert "says what it said in version 1" in restored.err

    changes, members = await cli.batch(
        "audit clinic --actor rita", "audit clinic --resource members/rita --json"
    )
    assert [row[2] for row in changes.rows()] == [
        "completion_rejected",
        "completion_review_withdrawn",
    ]
    assert [one["type"] for one in members.json] == ["member_added"]


async def test_mistakes_with_completions_agreement_and_audit(cli: CommandLine) -> None:
    ids = await clinic(cli)
    listed, _ = await cli.batch(
        f"completions list clinic {ids['t1']} --json", "members add clinic zoe"
    )
    name = listed.json[0]["name"]
    await cli.refused(
        mistake(f"completions review {name} accept", "--reviewer"),
        mistake(f"--user zoe completions review {name} accept", "asks for one of the roles"),
        mistake(f"--user zoe completions delete {name}", "of somebody else"),
        mistake("completions review clinic/x accept", "completions/{completion}"),
        mistake(f"completions restore {name} 99", "spanloop completions history"),
        mistake(f"completions star clinic/{ids['t1']}/x", f"completions list clinic {ids['t1']}"),
        mistake("agreement clinic --label NOPE", "'NOPE'", "spanloop labels list"),
        mistake("agreement clinic --author ghost", "annotated twice"),
        mistake("--user zoe audit clinic", "roles MANAGER, OWNER"),
        mistake("audit nope", "projects/nope does not exist"),
        misuse(f"completions review {name} approve", "'accept', 'reject', 'withdraw'"),
        misuse(f"completions restore {name} first", "VERSION"),
    )
