"""Calls about a team: reviews, members, tokens, history and audit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime

from google.protobuf.field_mask_pb2 import FieldMask

from spanloop import types
from spanloop._async.transport import AsyncTransport
from spanloop._convert import annotation as convert
from spanloop._convert import basic, team
from spanloop._names import Named, child_name, name_of, project_name
from spanloop.annotation.v1 import annotation_service_pb2 as pb
from spanloop.annotation.v1 import history_service_pb2 as history_pb
from spanloop.annotation.v1 import member_service_pb2 as member_pb


class TeamCalls:
    """Reviews, stars, members, access tokens, history and audit."""

    _transport: AsyncTransport

    async def review_completion(
        self,
        completion: str | Named,
        verdict: types.Verdict | str,
        *,
        comment: str = "",
        reviewer: str = "",
        etag: str = "",
        timeout: float | None = None,
    ) -> types.Completion:
        """Accept or reject a submitted completion, or withdraw its review."""
        request = pb.ReviewCompletionRequest(
            name=name_of(completion),
            verdict=f"VERDICT_{types.Verdict(verdict).name}",
            comment=comment,
            reviewer=reviewer,
            etag=etag,
        )
        response = await self._transport.unary(
            self._transport.annotation.ReviewCompletion, request, timeout=timeout, repeat=False
        )
        return convert.completion(response.completion)

    async def star_completion(
        self, completion: str | Named, *, on: bool = True, timeout: float | None = None
    ) -> types.Completion:
        """Make a completion the ground truth of its task, or with `on=False` take that away."""
        request = pb.StarCompletionRequest(name=name_of(completion), unstar=not on)
        response = await self._transport.unary(
            self._transport.annotation.StarCompletion, request, timeout=timeout
        )
        return convert.completion(response.completion)

    async def delete_completion(
        self, completion: str | Named, *, etag: str = "", timeout: float | None = None
    ) -> types.Completion:
        """Delete a completion; it can be brought back."""
        response = await self._transport.unary(
            self._transport.annotation.DeleteCompletion,
            pb.DeleteCompletionRequest(name=name_of(completion), etag=etag),
            timeout=timeout,
            repeat=False,
        )
        return convert.completion(response.completion)

    async def undelete_completion(
        self, completion: str | Named, *, timeout: float | None = None
    ) -> types.Completion:
        """Bring a deleted completion back."""
        response = await self._transport.unary(
            self._transport.annotation.UndeleteCompletion,
            pb.UndeleteCompletionRequest(name=name_of(completion)),
            timeout=timeout,
            repeat=False,
        )
        return convert.completion(response.completion)

    def list_revisions(
        self, resource: str | Named, *, timeout: float | None = None
    ) -> AsyncIterator[types.Revision]:
        """Iterate over the earlier states of a task or completion, the latest first."""
        return self._transport.pages(
            self._transport.history.ListRevisions,
            history_pb.ListRevisionsRequest(name=name_of(resource)),
            lambda page: map(team.revision, page.revisions),
            timeout,
        )

    async def restore_revision(
        self,
        completion: str | Named,
        version: int,
        *,
        etag: str = "",
        timeout: float | None = None,
    ) -> types.Completion:
        """Set a completion back to what an earlier revision of it said."""
        request = history_pb.RestoreRevisionRequest(
            name=name_of(completion), version=version, etag=etag
        )
        response = await self._transport.unary(
            self._transport.history.RestoreRevision, request, timeout=timeout, repeat=False
        )
        return convert.completion(response.completion)

    def list_audit(
        self,
        project: str | Named,
        *,
        resource: str = "",
        actor: str = "",
        timeout: float | None = None,
    ) -> AsyncIterator[types.Event]:
        """Iterate over who changed what in a project, in the order of the changes."""
        return self._transport.pages(
            self._transport.history.ListAuditEntries,
            history_pb.ListAuditEntriesRequest(
                parent=project_name(project), resource=resource, actor=actor
            ),
            lambda page: map(convert.event, page.entries),
            timeout,
        )

    async def get_caller(self, *, timeout: float | None = None) -> types.Caller:
        """Say who this client is."""
        response = await self._transport.unary(
            self._transport.members.GetCaller, member_pb.GetCallerRequest(), timeout=timeout
        )
        return types.Caller(user=response.user, system=response.system)

    async def add_member(
        self,
        project: str | Named,
        user: str,
        roles: Iterable[types.Role | str],
        *,
        priority: int = 0,
        timeout: float | None = None,
    ) -> types.Member:
        """Add a member to a project; AlreadyExists when the user is one."""
        request = member_pb.CreateMemberRequest(
            parent=project_name(project),
            member=member_pb.Member(user=user, roles=team.roles_to(roles), priority=priority),
        )
        response = await self._transport.unary(
            self._transport.members.CreateMember, request, timeout=timeout, repeat=False
        )
        return team.member(response.member)

    def list_members(
        self, project: str | Named, *, timeout: float | None = None
    ) -> AsyncIterator[types.Member]:
        """Iterate over the members of a project."""
        return self._transport.pages(
            self._transport.members.ListMembers,
            member_pb.ListMembersRequest(parent=project_name(project)),
            lambda page: map(team.member, page.members),
            timeout,
        )

    async def update_member(
        self,
        project: str | Named,
        user: str | Named,
        *,
        roles: Iterable[types.Role | str] | None = None,
        priority: int | None = None,
        etag: str = "",
        timeout: float | None = None,
    ) -> types.Member:
        """Change the roles or the priority of a member; what is None stays."""
        paths = [
            path for path, value in (("roles", roles), ("priority", priority)) if value is not None
        ]
        request = member_pb.UpdateMemberRequest(
            member=member_pb.Member(
                name=child_name(project, "members", user),
                roles=team.roles_to(roles or ()),
                priority=priority or 0,
                etag=etag,
            ),
            update_mask=FieldMask(paths=paths),
        )
        response = await self._transport.unary(
            self._transport.members.UpdateMember, request, timeout=timeout, repeat=not etag
        )
        return team.member(response.member)

    async def remove_member(
        self, project: str | Named, user: str | Named, *, timeout: float | None = None
    ) -> None:
        """Remove a member; what they annotated stays."""
        await self._transport.unary(
            self._transport.members.DeleteMember,
            member_pb.DeleteMemberRequest(name=child_name(project, "members", user)),
            timeout=timeout,
            repeat=False,
        )

    async def create_access_token(
        self,
        user: str = "me",
        *,
        display_name: str = "",
        expire_time: datetime | None = None,
        timeout: float | None = None,
    ) -> types.AccessToken:
        """Make an access token; its `secret` is shown this once."""
        request = member_pb.CreateAccessTokenRequest(
            parent=f"users/{user}",
            access_token=member_pb.AccessToken(display_name=display_name),
        )
        if expire_time is not None:
            request.access_token.expire_time.FromDatetime(expire_time)
        response = await self._transport.unary(
            self._transport.members.CreateAccessToken, request, timeout=timeout, repeat=False
        )
        return team.access_token(response.access_token, response.secret)

    def list_access_tokens(
        self, user: str = "me", *, timeout: float | None = None
    ) -> AsyncIterator[types.AccessToken]:
        """Iterate over the access tokens of a user, without their secrets."""
        return self._transport.pages(
            self._transport.members.ListAccessTokens,
            member_pb.ListAccessTokensRequest(parent=f"users/{user}"),
            lambda page: map(team.access_token, page.access_tokens),
            timeout,
        )

    async def revoke_access_token(
        self, token: str | Named, *, timeout: float | None = None
    ) -> None:
        """End an access token at once."""
        await self._transport.unary(
            self._transport.members.RevokeAccessToken,
            member_pb.RevokeAccessTokenRequest(name=name_of(token)),
            timeout=timeout,
            repeat=False,
        )

    async def delete_task(
        self, task: str | Named, *, etag: str = "", timeout: float | None = None
    ) -> types.Task:
        """Delete a task; it can be brought back."""
        response = await self._transport.unary(
            self._transport.annotation.DeleteTask,
            pb.DeleteTaskRequest(name=name_of(task), etag=etag),
            timeout=timeout,
            repeat=False,
        )
        return convert.task(response.task)

    async def undelete_task(self, task: str | Named, *, timeout: float | None = None) -> types.Task:
        """Bring a deleted task back."""
        response = await self._transport.unary(
            self._transport.annotation.UndeleteTask,
            pb.UndeleteTaskRequest(name=name_of(task)),
            timeout=timeout,
            repeat=False,
        )
        return convert.task(response.task)

    async def purge_task(self, task: str | Named, *, timeout: float | None = None) -> None:
        """Remove a deleted task for good, with its completions, predictions and history."""
        await self._transport.unary(
            self._transport.annotation.PurgeTask,
            pb.PurgeTaskRequest(name=name_of(task)),
            timeout=timeout,
            repeat=False,
        )

    async def update_task(
        self,
        task: str | Named,
        *,
        tags: Iterable[str] | None = None,
        group: str | None = None,
        split: types.Split | str | None = None,
        metadata: Mapping[str, str] | None = None,
        etag: str = "",
        timeout: float | None = None,
    ) -> types.Task:
        """Change tags, group, split or metadata of a task; what is None stays."""
        given = {"tags": tags, "group": group, "split": split, "metadata": metadata}
        paths = [path for path, value in given.items() if value is not None]
        request = pb.UpdateTaskRequest(update_mask=FieldMask(paths=paths))
        request.task.name = name_of(task)
        request.task.etag = etag
        request.task.tags.extend(tags or ())
        request.task.group = group or ""
        request.task.metadata.update(metadata or {})
        request.task.split = basic.split_to(split)  # type: ignore[assignment]
        response = await self._transport.unary(
            self._transport.annotation.UpdateTask, request, timeout=timeout, repeat=not etag
        )
        return convert.task(response.task)

    async def tag_tasks(
        self,
        project: str | Named,
        tasks: Iterable[str | Named],
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        timeout: float | None = None,
    ) -> int:
        """Add and remove tags of up to 1,000 tasks; return how many were changed."""
        request = pb.TagTasksRequest(
            parent=project_name(project),
            tasks=[child_name(project, "tasks", task) for task in tasks],
            add=add,
            remove=remove,
        )
        response = await self._transport.unary(
            self._transport.annotation.TagTasks, request, timeout=timeout
        )
        return int(response.changed)
