"""Calls of the annotation service but those that move files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from uuid import uuid4

from google.protobuf.field_mask_pb2 import FieldMask

from spanloop import types
from spanloop._convert import annotation as convert
from spanloop._convert import basic, team
from spanloop._names import Named, name_of, project_name
from spanloop._sync.transport import Transport
from spanloop.annotation.v1 import (
    annotation_service_pb2 as pb,
)
from spanloop.annotation.v1 import (
    completion_pb2,
    label_pb2,
    project_pb2,
    task_pb2,
)


class AnnotationCalls:
    """Projects, labels, tasks, completions, predictions and events."""

    _transport: Transport

    def create_project(
        self,
        project_id: str,
        *,
        display_name: str = "",
        labeling_config: str = "",
        tie_break: types.TieBreak | str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.Project:
        """Create a project; AlreadyExists when the id is taken.

        `labeling_config`: XML. `tie_break`: which of several submitted completions of a task is
        trained on; the most recent one by default.
        """
        request = pb.CreateProjectRequest(
            project_id=project_id,
            project=project_pb2.Project(
                display_name=display_name,
                labeling_config=labeling_config,
                tie_break=convert.tie_break_to(tie_break),
            ),
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(
            self._transport.annotation.CreateProject, request, timeout=timeout
        )
        return convert.project(response.project)

    def get_project(self, project: str | Named, *, timeout: float | None = None) -> types.Project:
        """Read a project with its counts."""
        request = pb.GetProjectRequest(name=project_name(project))
        response = self._transport.unary(
            self._transport.annotation.GetProject, request, timeout=timeout
        )
        return convert.project(response.project)

    def list_projects(self, *, timeout: float | None = None) -> Iterator[types.Project]:
        """Iterate over the projects, without counts; `timeout` bounds each page."""
        return self._transport.pages(
            self._transport.annotation.ListProjects,
            pb.ListProjectsRequest(),
            lambda page: map(convert.project, page.projects),
            timeout,
        )

    def update_project(
        self,
        project: str | Named,
        *,
        display_name: str,
        etag: str = "",
        timeout: float | None = None,
    ) -> types.Project:
        """Rename a project for people; Aborted when `etag` is given and outdated."""
        request = pb.UpdateProjectRequest(
            project=project_pb2.Project(
                name=project_name(project), display_name=display_name, etag=etag
            ),
            update_mask=FieldMask(paths=["display_name"]),
        )
        response = self._transport.unary(
            self._transport.annotation.UpdateProject, request, timeout=timeout, repeat=not etag
        )
        return convert.project(response.project)

    def create_label(
        self,
        project: str | Named,
        value: str,
        *,
        description: str = "",
        inherits: Iterable[str] = (),
        alias_as: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.Label:
        """Create a label; AlreadyExists when the project has or had one of this value.

        `inherits`: labels whose positives are its positives too. `alias_as`: the label that it is
        another name of.
        """
        request = pb.CreateLabelRequest(
            parent=project_name(project),
            label=label_pb2.Label(
                value=value, description=description, inherits=inherits, alias_as=alias_as
            ),
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(
            self._transport.annotation.CreateLabel, request, timeout=timeout
        )
        return convert.label(response.label)

    def get_label(self, label: str | Named, *, timeout: float | None = None) -> types.Label:
        """Read a label by its full name."""
        response = self._transport.unary(
            self._transport.annotation.GetLabel,
            pb.GetLabelRequest(name=name_of(label)),
            timeout=timeout,
        )
        return convert.label(response.label)

    def list_labels(
        self, project: str | Named, *, timeout: float | None = None
    ) -> Iterator[types.Label]:
        """Iterate over the labels of a project; `timeout` bounds each page."""
        return self._transport.pages(
            self._transport.annotation.ListLabels,
            pb.ListLabelsRequest(parent=project_name(project)),
            lambda page: map(convert.label, page.labels),
            timeout,
        )

    def update_label(
        self,
        label: str | Named,
        *,
        value: str | None = None,
        description: str | None = None,
        inherits: Iterable[str] | None = None,
        alias_as: str | None = None,
        etag: str = "",
        timeout: float | None = None,
    ) -> types.Label:
        """Change a label; what is None stays. Aborted when `etag` is given and outdated.

        With a new `value` everything annotated before carries it.
        """
        given = {
            "value": value,
            "description": description,
            "inherits": inherits,
            "alias_as": alias_as,
        }
        request = pb.UpdateLabelRequest(
            label=label_pb2.Label(
                name=name_of(label),
                value=value or "",
                description=description or "",
                inherits=inherits or (),
                alias_as=alias_as or "",
                etag=etag,
            ),
            update_mask=FieldMask(
                paths=[path for path, found in given.items() if found is not None]
            ),
        )
        response = self._transport.unary(
            self._transport.annotation.UpdateLabel, request, timeout=timeout, repeat=not etag
        )
        return convert.label(response.label)

    def create_task(
        self,
        project: str | Named,
        text: str,
        *,
        external_id: str = "",
        split: types.Split | str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Iterable[str] = (),
        group: str = "",
        pages: Iterable[types.Page] = (),
        words: Iterable[types.PageWord] = (),
        extra: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.Task:
        """Create one task; AlreadyExists when the external id is taken.

        `extra`: JSON object of whatever else is to be kept with it.
        """
        request = pb.CreateTaskRequest(
            parent=project_name(project),
            task=task_pb2.Task(
                text=text,
                external_id=external_id,
                split=basic.split_to(split),
                metadata=metadata or {},
                tags=tags,
                group=group,
                pages=[
                    task_pb2.Page(image=one.image, width=one.width, height=one.height)
                    for one in pages
                ],
                words=[
                    task_pb2.PageWord(
                        start=one.start,
                        end=one.end,
                        x=one.x,
                        y=one.y,
                        width=one.width,
                        height=one.height,
                        page=one.page,
                    )
                    for one in words
                ],
                extra=extra,
            ),
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(
            self._transport.annotation.CreateTask, request, timeout=timeout
        )
        return convert.task(response.task)

    def get_task(self, task: str | Named, *, timeout: float | None = None) -> types.Task:
        """Read a task by its full name."""
        response = self._transport.unary(
            self._transport.annotation.GetTask,
            pb.GetTaskRequest(name=name_of(task)),
            timeout=timeout,
        )
        return convert.task(response.task)

    def list_tasks(
        self,
        project: str | Named,
        *,
        statuses: Iterable[types.TaskStatus | str] = (),
        external_id: str = "",
        filter: types.TaskFilter | None = None,
        deleted: bool = False,
        timeout: float | None = None,
    ) -> Iterator[types.Task]:
        """Iterate over the tasks of a project; `timeout` bounds each page.

        `deleted`: only deleted tasks, instead of those that are there.
        """
        return self._transport.pages(
            self._transport.annotation.ListTasks,
            pb.ListTasksRequest(
                parent=project_name(project),
                statuses=convert.statuses_to(statuses),
                external_id=external_id,
                filter=team.filter_to(filter),
                deleted=deleted,
            ),
            lambda page: map(convert.task, page.tasks),
            timeout,
        )

    def create_completion(
        self,
        task: str | Named,
        spans: Iterable[types.Span] = (),
        *,
        author: str = "",
        submit: bool = False,
        copied_from: str = "",
        choices: Mapping[str, Iterable[str]] | None = None,
        relations: Iterable[types.Relation] = (),
        regions: Iterable[types.Region] = (),
        lead_time_seconds: float = 0.0,
        extra: str = "",
        offset_encoding: types.OffsetEncoding | str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.Completion:
        """Annotate a task, as a draft or submitted at once; the author is the client's user."""
        request = pb.CreateCompletionRequest(
            parent=name_of(task),
            completion=completion_pb2.Completion(
                author=author,
                spans=basic.spans_to(spans),
                copied_from=copied_from,
                choices=convert.choices_to(choices or {}),
                relations=convert.relations_to(relations),
                regions=convert.regions_to(regions),
                lead_time_seconds=lead_time_seconds,
                extra=extra,
            ),
            submit=submit,
            offset_encoding=basic.encoding_to(offset_encoding),
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(
            self._transport.annotation.CreateCompletion, request, timeout=timeout
        )
        return convert.completion(response.completion)

    def get_completion(
        self,
        completion: str | Named,
        *,
        offset_encoding: types.OffsetEncoding | str | None = None,
        timeout: float | None = None,
    ) -> types.Completion:
        """Read a completion by its full name."""
        request = pb.GetCompletionRequest(
            name=name_of(completion), offset_encoding=basic.encoding_to(offset_encoding)
        )
        response = self._transport.unary(
            self._transport.annotation.GetCompletion, request, timeout=timeout
        )
        return convert.completion(response.completion)

    def list_completions(
        self,
        task: str | Named,
        *,
        deleted: bool = False,
        offset_encoding: types.OffsetEncoding | str | None = None,
        timeout: float | None = None,
    ) -> Iterator[types.Completion]:
        """Iterate over the completions of a task, with `deleted` also over deleted ones.

        `timeout` bounds each page.
        """
        return self._transport.pages(
            self._transport.annotation.ListCompletions,
            pb.ListCompletionsRequest(
                parent=name_of(task),
                offset_encoding=basic.encoding_to(offset_encoding),
                show_deleted=deleted,
            ),
            lambda page: map(convert.completion, page.completions),
            timeout,
        )

    def update_completion(
        self,
        completion: str | Named,
        spans: Iterable[types.Span] | None = None,
        *,
        choices: Mapping[str, Iterable[str]] | None = None,
        relations: Iterable[types.Relation] | None = None,
        regions: Iterable[types.Region] | None = None,
        lead_time_seconds: float | None = None,
        extra: str | None = None,
        etag: str = "",
        offset_encoding: types.OffsetEncoding | str | None = None,
        timeout: float | None = None,
    ) -> types.Completion:
        """Replace what a completion says; what is None stays. Aborted when `etag` is outdated."""
        given = {
            "spans": spans,
            "choices": choices,
            "relations": relations,
            "regions": regions,
            "lead_time_seconds": lead_time_seconds,
            "extra": extra,
        }
        request = pb.UpdateCompletionRequest(
            completion=completion_pb2.Completion(
                name=name_of(completion),
                spans=basic.spans_to(spans or ()),
                choices=convert.choices_to(choices or {}),
                relations=convert.relations_to(relations or ()),
                regions=convert.regions_to(regions or ()),
                lead_time_seconds=lead_time_seconds or 0.0,
                extra=extra or "",
                etag=etag,
            ),
            update_mask=FieldMask(
                paths=[path for path, found in given.items() if found is not None]
            ),
            offset_encoding=basic.encoding_to(offset_encoding),
        )
        response = self._transport.unary(
            self._transport.annotation.UpdateCompletion, request, timeout=timeout, repeat=not etag
        )
        return convert.completion(response.completion)

    def submit_completion(
        self,
        completion: str | Named,
        *,
        etag: str = "",
        offset_encoding: types.OffsetEncoding | str | None = None,
        timeout: float | None = None,
    ) -> types.Completion:
        """Hand a draft in; FailedPrecondition when it is submitted already."""
        request = pb.SubmitCompletionRequest(
            name=name_of(completion),
            etag=etag,
            offset_encoding=basic.encoding_to(offset_encoding),
        )
        response = self._transport.unary(
            self._transport.annotation.SubmitCompletion, request, timeout=timeout, repeat=False
        )
        return convert.completion(response.completion)
