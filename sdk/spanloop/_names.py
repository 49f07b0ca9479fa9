"""Resource names: callers may give a bare id wherever its parent is known."""

from __future__ import annotations

from typing import Protocol


class Named(Protocol):
    """Any resource of the SDK."""

    @property
    def name(self) -> str:
        """The resource's full name."""


def name_of(resource: str | Named) -> str:
    """Return the full name of a resource given as such or by its name."""
    return resource if isinstance(resource, str) else resource.name


def project_name(project: str | Named) -> str:
    """Return `projects/{id}` for an id, a full name or a `Project`."""
    name = name_of(project)
    return name if name.startswith("projects/") else f"projects/{name}"


def child_name(project: str | Named, collection: str, child: str | Named) -> str:
    """Return `projects/{project}/{collection}/{child}`; a full child name is left as it is."""
    name = name_of(child)
    return name if "/" in name else f"{project_name(project)}/{collection}/{name}"


def deployment_name(project: str | Named) -> str:
    """Return the name of a project's deployment."""
    return f"{project_name(project)}/deployment"
