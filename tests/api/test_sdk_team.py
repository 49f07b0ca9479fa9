"""The SDK's calls for teams, against the real annotation service."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.annotation.bootstrap import build
from spanloop import AsyncClient, Endpoints, errors, types
from tests.support import running
from tests.support.annotation import annotation_settings

CONFIG = """<View>
  <Labels name="label" toName="text"><Label value="DATE"/><Label value="MONEY"/></Labels>
  <Choices name="kind" toName="text" choice="single"><Choice value="notice"/></Choices>
  <Text name="text" value="$text"/>
</View>
"""
TEXT = "Due on 1 May. 🙂 Pay 5 USD."
DATE = types.Span(start=7, end=12, label="DATE")
MONEY = types.Span(start=20, end=25, label="MONEY")


@pytest.fixture
async def clients(tmp_path: Path) -> AsyncIterator[Callable[[str], AsyncClient]]:
    """A maker of clients by user; the empty user is the services themselves."""
    made: list[AsyncClient] = []
    async with running(annotation_settings(tmp_path), build) as server:

        def make(user: str = "", token: str = "") -> AsyncClient:
            endpoints = Endpoints(annotation=server.address)
            made.append(AsyncClient(endpoints=endpoints, token=token or server.token, user=user))
            return made[-1]

        yield make
        for client in made:
            await client.close()


@pytest.fixture
async def system(clients: Callable[..., AsyncClient]) -> AsyncClient:
    client = clients()
    await client.create_project("p")
    await client.create_label("p", "DATE")
    await client.create_label("p", "MONEY")
    return client


async def test_a_task_from_draft_to_review_and_back(
    clients: Callable[..., AsyncClient], system: AsyncClient
) -> None:
    await system.add_member("p", "ann", ["annotator"], priority=3)
    await system.add_member("p", "rev", [types.Role.REVIEWER])
    ann, rev = clients("ann"), clients("rev")
    task = await system.create_task("p", TEXT, tags=["batch-1"], group="doc")
    draft = await ann.create_completion(task, [DATE], lead_time_seconds=2.5)
    assert (draft.author, draft.state, draft.lead_time_seconds) == ("ann", "draft", 2.5)
    sent = await ann.submit_completion(draft)
    with pytest.raises(errors.PermissionDenied):
        await ann.review_completion(sent, "accept")
    rejected = await rev.review_completion(sent, types.Verdict.REJECT, comment="money missing")
    assert rejected.review is not None
    assert (rejected.review.reviewer, rejected.review.comment) == ("rev", "money missing")
    assert (await system.get_task(task)).status is types.TaskStatus.TO_CORRECT
    corrected = await ann.update_completion(rejected, [DATE, MONEY], lead_time_seconds=4.0)
    again = await ann.submit_completion(corrected)
    accepted = await rev.review_completion(again, "accept", etag=again.etag)
    with pytest.raises(errors.Aborted):
        await rev.review_completion(again, "withdraw", etag=again.etag)
    starred = await rev.star_completion(accepted)
    assert starred.ground_truth
    assert not (await rev.star_completion(accepted, on=False)).ground_truth

    revisions = [one async for one in system.list_revisions(draft)]
    said = [(one.version, one.actor, len(one.completion.spans)) for one in revisions]
    assert [one.completion.state for one in revisions][-1] is types.CompletionState.DRAFT
    assert said[-1] == (1, "ann", 1)
    restored = await ann.restore_revision(draft, 1)
    assert [span.label for span in restored.spans] == ["DATE"]
    assert restored.state is not types.CompletionState.ACCEPTED

    await system.delete_completion(draft)
    assert [one async for one in system.list_completions(task)] == []
    (deleted,) = [one async for one in system.list_completions(task, deleted=True)]
    assert deleted.delete_time is not None
    assert (await system.undelete_completion(draft)).delete_time is None

    audit = [one async for one in system.list_audit("p", actor="rev")]
    assert {one.type for one in audit} == {
        types.EventType.COMPLETION_REJECTED,
        types.EventType.COMPLETION_ACCEPTED,
        types.EventType.COMPLETION_STARRED,
        types.EventType.COMPLETION_UNSTARRED,
    }
    only = [one async for one in system.list_audit("p", resource=draft.name)]
    assert {one.resource for one in only} == {draft.name}


async def test_tasks_are_changed_tagged_deleted_and_purged(
    clients: Callable[..., AsyncClient], system: AsyncClient
) -> None:
    await system.add_member("p", "own", ["owner"])
    await system.add_member("p", "man", ["manager"])
    first = await system.create_task("p", TEXT)
    second = await system.create_task("p", "Nothing.")
    changed = await system.update_task(
        first, tags=["a"], group="g", split="test", metadata={"source": "mail"}, etag=first.etag
    )
    assert (changed.tags, changed.group, changed.split) == (("a",), "g", types.Split.TEST)
    assert changed.metadata == {"source": "mail"}
    with pytest.raises(errors.Aborted):
        await system.update_task(first, group="other", etag=first.etag)
    assert await system.tag_tasks("p", [first, second], add=["b"], remove=["a"]) == 2
    found = [one async for one in system.list_tasks("p", filter=types.TaskFilter(tags_all=("b",)))]
    assert {one.name for one in found} == {first.name, second.name}
    wanted = types.TaskFilter(text_regex="(?i)NOTHING", updated_from=first.create_time)
    assert [one.name async for one in system.list_tasks("p", filter=wanted)] == [second.name]
    with pytest.raises(errors.InvalidArgument, match="text_regex"):
        await anext(aiter(system.list_tasks("p", filter=types.TaskFilter(text_regex="("))))

    await system.delete_task(second)
    assert [one.name async for one in system.list_tasks("p")] == [first.name]
    assert [one.name async for one in system.list_tasks("p", deleted=True)] == [second.name]
    await system.undelete_task(second)
    await system.delete_task(second)
    with pytest.raises(errors.PermissionDenied):
        await clients("man").purge_task(second)
    await clients("own").purge_task(second)
    with pytest.raises(errors.NotFound):
        await system.get_task(second)


async def test_members_and_their_tokens(
    clients: Callable[..., AsyncClient], system: AsyncClient
) -> None:
    member = await system.add_member("p", "ann", ["owner"])
    assert member.roles == (types.Role.OWNER,)
    await system.add_member("p", "ben", ["annotator"], priority=5)
    changed = await system.update_member("p", "ben", roles=["annotator", "reviewer"])
    assert (set(changed.roles), changed.priority) == ({"annotator", "reviewer"}, 5)
    assert (await system.update_member("p", "ben", priority=9)).priority == 9
    assert [one.user async for one in system.list_members("p")] == ["ann", "ben"]
    with pytest.raises(errors.FailedPrecondition):
        await system.remove_member("p", "ann")

    expires = datetime.now(UTC) + timedelta(days=1)
    token = await clients("ben").create_access_token(display_name="laptop", expire_time=expires)
    assert token.expire_time == expires
    ben = clients(token=token.secret)
    assert await ben.get_caller() == types.Caller(user="ben", system=False)
    assert await system.get_caller() == types.Caller(user="", system=True)
    (listed,) = [one async for one in ben.list_access_tokens()]
    assert (listed.name, listed.secret) == (token.name, "")
    await ben.revoke_access_token(token)
    with pytest.raises(errors.Unauthenticated):
        await ben.get_caller()

    await system.remove_member("p", "ben")
    with pytest.raises(errors.NotFound):
        await clients("ben").get_project("p")


async def test_what_is_trained_on_is_previewed_frozen_compared_and_exported(
    system: AsyncClient,
) -> None:
    await system.add_member("p", "ann", ["annotator"], priority=1)
    await system.add_member("p", "ben", ["annotator"], priority=2)
    task = await system.create_task("p", TEXT)
    older = await system.create_completion(task, [DATE], author="ben", submit=True)
    newer = await system.create_completion(task, [MONEY], author="ann", submit=True)
    (decision,) = [one async for one in system.preview_selection("p")]
    taken = {one.completion for one in decision.completions if one.taken}
    assert (decision.taken, taken) == (True, {newer.name})
    base = await system.create_snapshot("p", description="most recent")
    await system.set_tie_break("p", types.TieBreak.HIGHEST_PRIORITY)
    (decision,) = [one async for one in system.preview_selection("p")]
    reasons = {one.completion: (one.taken, one.reason) for one in decision.completions}
    assert reasons[older.name] == (True, "HIGHEST_PRIORITY")
    assert not reasons[newer.name][0]
    reviewed = types.Selection(reviewed_only=True)
    with pytest.raises(errors.FailedPrecondition, match="PreviewSelection"):
        await system.create_snapshot("p", selection=reviewed)
    chosen = types.Selection(filter=types.TaskFilter(authors=("ben",)))
    target = await system.create_snapshot("p", selection=chosen)
    assert target.content_hash != base.content_hash

    diff = await system.diff_snapshots(base, target)
    assert (diff.added, diff.removed, diff.changed, diff.unchanged) == (0, 0, 1, 0)
    (difference,) = diff.differences
    assert difference.base is not None
    assert difference.target is not None
    assert [span.label for span in difference.base.spans] == ["MONEY"]
    assert [span.label for span in difference.target.spans] == ["DATE"]

    buffer = io.BytesIO()
    report = await system.export_snapshot(target, buffer, format="conll", tag_scheme="iobes")
    assert report.exported_tasks == 1
    assert "B-DATE" in buffer.getvalue().decode()
    counted = {one.value: one.span_count for one in await system.count_labels("p")}
    assert counted == {"DATE": 1, "MONEY": 1}


async def test_configs_labels_and_choices(system: AsyncClient) -> None:
    bad = CONFIG.replace('toName="text" choice', 'toName="txt" choice')
    checked = await system.validate_labeling_config("p", bad)
    assert not checked.usable
    assert {(one.line, one.severity) for one in checked.problems} == {(3, "error")}
    with pytest.raises(errors.SpanloopError) as refused:
        await system.set_labeling_config("p", bad)
    assert "3:" in str(refused.value) or "line 3" in str(refused.value)
    project = await system.set_labeling_config("p", CONFIG)
    assert project.labeling_config == CONFIG
    checked = await system.validate_labeling_config("p")
    assert (checked.usable, set(checked.labels)) == (True, {"DATE", "MONEY"})
    assigned, changed = await system.assign_models("p", {"DATE": "ner_p_v1"})
    assert changed
    assert assigned == CONFIG.replace('value="DATE"', 'value="DATE" model="ner_p_v1"')

    task = await system.create_task("p", TEXT)
    made = await system.create_completion(
        task, author="a", choices={"kind": ["notice"]}, extra='{"tool":{"ui":"dark"}}'
    )
    assert (made.choices, made.extra) == ({"kind": ("notice",)}, '{"tool":{"ui":"dark"}}')
    assert (await system.update_completion(made, extra="")).extra == ""
    other = await system.create_project(
        "q", labeling_config=CONFIG, tie_break=types.TieBreak.HIGHEST_PRIORITY
    )
    assert (other.labeling_config, other.tie_break) == (CONFIG, "highest_priority")
    with pytest.raises(errors.InvalidArgument, match="kind"):
        await system.update_completion(made, choices={"kind": ["invoice"]})

    label = next(iter([one async for one in system.list_labels("p") if one.value == "MONEY"]))
    renamed = await system.update_label(label, value="AMOUNT", inherits=["DATE"])
    assert renamed.former_values == ("MONEY",)
    assert set(renamed.positives) == {"AMOUNT", "DATE"}
    with pytest.raises(errors.InvalidArgument, match="alias_as"):
        await system.update_label(renamed, alias_as="AMOUNT")


async def test_rules_and_agreement(system: AsyncClient) -> None:
    task = await system.create_task("p", TEXT)
    rules = [
        {"label": "MONEY", "regex": {"pattern": r"\d+ USD"}},
        {"label": "DATE", "dictionary": {"terms": ["1 may"]}},
    ]
    found = await system.preview_rules("p", TEXT, rules=rules)
    assert [(one.start, one.end, one.label) for one in found] == [
        (DATE.start, DATE.end, "DATE"),
        (MONEY.start, MONEY.end, "MONEY"),
    ]
    stored = await system.create_rule_set("p", "basic", rules, display_name="Basic")
    assert (stored.revision, len(stored.rules)) == (1, 2)
    with pytest.raises(errors.InvalidArgument, match=r"rules\[0\]"):
        await system.update_rule_set("p", "basic", [{"label": "NONE", "regex": {"pattern": "x"}}])
    changed = await system.update_rule_set("p", "basic", rules[:1], etag=stored.etag)
    assert changed.revision == 2
    assert await system.get_rule_set("p", "basic") == changed
    progress = [one async for one in system.apply_rule_set("p", "basic")]
    assert (progress[-1].generation, progress[-1].written) == ("rules/basic@2", 1)
    (prediction,) = [one async for one in system.list_predictions("p")]
    assert (prediction.task, prediction.generation) == (task.name, "rules/basic@2")
    await system.delete_rule_set("p", "basic")
    assert [one async for one in system.list_rule_sets("p")] == []

    with pytest.raises(errors.FailedPrecondition):
        await system.agreement("p")
    await system.create_completion(task, [DATE, MONEY], author="a", submit=True)
    await system.create_completion(task, [DATE], author="b", submit=True)
    report = await system.agreement("p")
    assert report.authors == ("a", "b")
    assert report.overall.exact_f1 is not None
    assert report.overall.exact_f1.value == pytest.approx(2 / 3)
    by_label = {one.target: one for one in report.labels}
    assert by_label["DATE"].exact_f1 is not None
    assert by_label["DATE"].exact_f1.value == 1.0
    only = await system.agreement("p", labels=["MONEY"], authors=["a", "b"])
    assert [one.target for one in only.labels] == ["MONEY"]


async def test_import_and_export_with_their_options(system: AsyncClient, tmp_path: Path) -> None:
    lines = b"Due\tO\n1\tB-DATE\nMay\tI-DATE\n\nPay\tO\n5\tI-MONEY\nUSD\tI-MONEY\n"
    checked = await system.import_file(
        "p", lines, format="conll", tag_scheme="iob2", validate_only=True
    )
    assert (checked.refused_tasks, [one.line for one in checked.errors]) == (1, [6])
    refused = await system.import_file(
        "p", lines, format="conll", tag_scheme="iob2", atomic=True, source_name="s"
    )
    assert (refused.imported_tasks, refused.refused_tasks) == (0, 1)
    assert (await system.get_project("p")).task_count == 0
    report = await system.import_file(
        "p",
        lines,
        format="conll",
        tag_scheme="iob2",
        repair_tags=True,
        atomic=True,
        source_name="s",
        tags=["conll"],
        author="ann",
    )
    assert (report.imported_tasks, report.imported_spans) == (2, 2)
    (warning,) = report.warnings
    assert (warning.line, warning.message.partition(":")[0]) == (5, "line 6, tag")
    again = await system.import_file(
        "p", lines, format="conll", repair_tags=True, source_name="s", author="ann"
    )
    assert (again.imported_tasks, again.unchanged_tasks) == (0, 2)
    csv = b"id,body,class\n1,Hello there,greeting\n"
    assert (
        await system.import_file(
            "p", csv, format="csv", text_column="body", label_column="class", choices_name="kind"
        )
    ).imported_choices == 1
    target = tmp_path / "out.json"
    exported = await system.export(
        "p", target, format="label_studio", filter=types.TaskFilter(tags_any=("conll",))
    )
    assert exported.exported_tasks == 2
    assert target.stat().st_size == exported.size_bytes
    other = await system.create_project("other")
    copied = await system.import_file(other, target, create_labels=True)
    assert copied.format is types.TaskFormat.LABEL_STUDIO
    assert (copied.imported_tasks, copied.imported_spans) == (2, 2)
    assert set(copied.created_labels) == {"DATE", "MONEY"}
