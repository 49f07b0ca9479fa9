"""HistoryService: converts messages and delegates to the handlers."""

# ruff: noqa: ARG002, D102, N802 - names and signatures are those of the generated base class

from __future__ import annotations

from services.annotation.convert.basic import encoding_of, event_message
from services.annotation.convert.contents import completion_message
from services.annotation.handlers.completions import Completions
from services.annotation.history import convert
from services.annotation.history.handler import History
from services.annotation.members.gate import Gate
from services.annotation.names import completion_of, project_of, task_of
from spanloop.annotation.v1 import history_service_pb2 as pb
from spanloop.annotation.v1 import history_service_pb2_grpc


class HistoryServicer(history_service_pb2_grpc.HistoryServiceServicer):
    """The methods are documented in ``history_service.proto``."""

    def __init__(self, history: History, completions: Completions, gate: Gate) -> None:
        """Delegate to the given handlers."""
        self._history = history
        self._completions = completions
        self._gate = gate

    async def ListRevisions(
        self, request: pb.ListRevisionsRequest, context: object
    ) -> pb.ListRevisionsResponse:
        encoding = encoding_of(request.offset_encoding)
        size, page = request.page_size, request.page_token
        if "/completions/" in request.name:
            project, task, completion = completion_of(request.name)
            await self._gate.enter("ListRevisions", project)
            revisions, token = await self._history.of_completion(
                project, task, completion, size, page
            )
            return pb.ListRevisionsResponse(
                revisions=[convert.completion_revision_message(one, encoding) for one in revisions],
                next_page_token=token,
            )
        project, task = task_of(request.name, "name")
        await self._gate.enter("ListRevisions", project)
        found, states, token = await self._history.of_task(project, task, size, page)
        return pb.ListRevisionsResponse(
            revisions=[convert.task_revision_message(found, one) for one in states],
            next_page_token=token,
        )

    async def RestoreRevision(
        self, request: pb.RestoreRevisionRequest, context: object
    ) -> pb.RestoreRevisionResponse:
        project, task, completion = completion_of(request.name)
        principal = await self._gate.enter("RestoreRevision", project)
        changed = await self._completions.restore_revision(
            project,
            task,
            completion,
            version=request.version,
            etag=request.etag,
            principal=principal,
        )
        encoding = encoding_of(request.offset_encoding)
        return pb.RestoreRevisionResponse(
            completion=completion_message(changed.task, changed.completion, encoding)
        )

    async def ListAuditEntries(
        self, request: pb.ListAuditEntriesRequest, context: object
    ) -> pb.ListAuditEntriesResponse:
        project = project_of(request.parent)
        await self._gate.enter("ListAuditEntries", project)
        entries, token = await self._history.audit(
            project,
            resource=request.resource,
            actor=request.actor,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return pb.ListAuditEntriesResponse(
            entries=[event_message(one) for one in entries], next_page_token=token
        )
