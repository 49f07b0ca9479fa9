"""Who may call which method of the annotation service."""

from __future__ import annotations

from services.common.auth import Access

SERVICE = "spanloop.annotation.v1.AnnotationService"

_AUTHENTICATED = (
    "CreateProject",
    "GetProject",
    "ListProjects",
    "UpdateProject",
    "CreateLabel",
    "GetLabel",
    "ListLabels",
    "UpdateLabel",
    "ImportTasks",
    "ExportTasks",
    "CreateTask",
    "GetTask",
    "ListTasks",
    "CreateCompletion",
    "GetCompletion",
    "ListCompletions",
    "UpdateCompletion",
    "SubmitCompletion",
    "WritePredictions",
    "ListPredictions",
    "CreateSnapshot",
    "GetSnapshot",
    "ListSnapshots",
    "ReadSnapshot",
    "WatchEvents",
)

ACCESS = {f"/{SERVICE}/{method}": Access.AUTHENTICATED for method in _AUTHENTICATED}
