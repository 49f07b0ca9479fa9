"""Calls that choose and compare what is trained on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from spanloop import types
from spanloop._async.transport import AsyncTransport
from spanloop._convert import annotation as convert
from spanloop._convert import basic, team
from spanloop._names import Named, name_of, project_name
from spanloop._transfer import opened
from spanloop.annotation.v1 import annotation_service_pb2 as pb


class SelectionCalls:
    """Selection, comparison and export of snapshots, and counts of labels."""

    _transport: AsyncTransport

    def preview_selection(
        self,
        project: str | Named,
        selection: types.Selection | None = None,
        *,
        timeout: float | None = None,
    ) -> AsyncIterator[types.TaskDecision]:
        """Iterate over the tasks of a selection: which completion is taken, and why."""
        return self._transport.pages(
            self._transport.annotation.PreviewSelection,
            pb.PreviewSelectionRequest(
                parent=project_name(project), selection=team.selection_to(selection)
            ),
            lambda page: map(team.decision, page.decisions),
            timeout,
        )

    async def diff_snapshots(
        self, base: str | Named, target: str | Named, *, timeout: float | None = None
    ) -> types.SnapshotDiff:
        """Return what two snapshots of a project do not have in common."""
        request = pb.DiffSnapshotsRequest(base=name_of(base), target=name_of(target))
        differences: list[types.SnapshotDifference] = []
        summary = pb.SnapshotDiffSummary()
        async for message in self._transport.download(
            self._transport.annotation.DiffSnapshots, request, timeout
        ):
            differences += map(team.difference, message.differences)
            if message.HasField("summary"):
                summary = message.summary
        return team.diff(summary, differences)

    async def export_snapshot(
        self,
        snapshot: str | Named,
        target: Path | str | BinaryIO,
        *,
        format: types.TaskFormat | str | None = None,
        split: types.Split | str | None = None,
        tag_scheme: types.TagScheme | str | None = None,
        timeout: float | None = None,
    ) -> types.ExportReport:
        """Write the examples of a snapshot to a file, of one split or of all."""
        request = pb.ExportSnapshotRequest(
            name=name_of(snapshot),
            format=convert.format_to(format),
            split=basic.split_to(split),
            tag_scheme=convert.scheme_to(tag_scheme),
        )
        size = exported = 0
        omitted: dict[str, int] = {}
        with opened(target) as file:
            async for message in self._transport.download(
                self._transport.annotation.ExportSnapshot, request, timeout
            ):
                file.write(message.chunk)
                size += len(message.chunk)
                exported = message.exported_examples or exported
                omitted = dict(message.omitted) or omitted
        return types.ExportReport(
            exported_tasks=exported,
            omitted_spans=sum(count for what, count in omitted.items() if "spans" in what),
            size_bytes=size,
            omitted=omitted,
        )

    async def count_labels(
        self,
        project: str | Named,
        *,
        filter: types.TaskFilter | None = None,
        timeout: float | None = None,
    ) -> list[types.Label]:
        """Return all labels of a project with how often they are used."""
        response = await self._transport.unary(
            self._transport.annotation.CountLabels,
            pb.CountLabelsRequest(parent=project_name(project), filter=team.filter_to(filter)),
            timeout=timeout,
        )
        return [convert.label(one) for one in response.labels]
