"""`spanloop members` and `spanloop tokens`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from spanloop.cli._choices import one_of
from spanloop.cli._groups import ListsByDefault
from spanloop.cli._output import note, out, print_json, print_table
from spanloop.cli._session import AsJson, Context, Project, session_of
from spanloop.errors import ConfigurationError
from spanloop.types import Role

app = typer.Typer(cls=ListsByDefault, no_args_is_help=True, help="The members of a project.")
tokens = typer.Typer(no_args_is_help=True, help="Access tokens of users.")

User = Annotated[str, typer.Argument(metavar="USER", help="Id of the user.")]
Roles = Annotated[
    list[Role] | None, one_of(Role, "--role", help="What they may do; may be repeated.")
]
Priority = Annotated[
    int | None, typer.Option(help="With the tie-break highest_priority theirs may win.")
]


@app.command("list")
def list_(context: Context, project: Project, as_json: AsJson = False) -> None:
    """List the members of a project."""
    with session_of(context).client() as client:
        found = list(client.list_members(project))
    if as_json:
        print_json(found)
        return
    print_table(
        ["user", "roles", "#priority", "since"],
        (
            (one.user, ", ".join(role.value for role in one.roles), one.priority, one.create_time)
            for one in found
        ),
    )


@app.command()
def add(
    context: Context,
    project: Project,
    user: User,
    role: Roles = None,
    priority: Priority = None,
) -> None:
    """Add a member; without --role an annotator."""
    with session_of(context).client() as client:
        client.add_member(project, user, role or [Role.ANNOTATOR], priority=priority or 0)
    note(f"Added {user}.")


@app.command("set")
def set_(
    context: Context,
    project: Project,
    user: User,
    role: Roles = None,
    priority: Priority = None,
) -> None:
    """Change the roles or the priority of a member."""
    if not role and priority is None:
        raise ConfigurationError("There is nothing to change: give --role or --priority.")
    with session_of(context).client() as client:
        found = client.update_member(project, user, roles=role, priority=priority)
    roles = ", ".join(one.value for one in found.roles)
    note(f"{user} is {roles}, with priority {found.priority}.")


@app.command()
def remove(context: Context, project: Project, user: User) -> None:
    """Remove a member; what they annotated stays."""
    with session_of(context).client() as client:
        client.remove_member(project, user)
    note(f"Removed {user}.")


@tokens.command()
def create(
    context: Context,
    user: User = "me",
    name: Annotated[str, typer.Option(help="For people, e.g. laptop.")] = "",
    days: Annotated[int | None, typer.Option(min=1, help="Stop working after so long.")] = None,
) -> None:
    """Make an access token and print it on stdout; it cannot be shown again."""
    expires = datetime.now(tz=UTC) + timedelta(days=days) if days else None
    with session_of(context).client() as client:
        found = client.create_access_token(user, display_name=name, expire_time=expires)
    out().print(found.secret, markup=False, soft_wrap=True)
    note(f"Made {found.name}. Keep the token: it is stored nowhere.")


@tokens.command("list")
def list_tokens(context: Context, user: User = "me", as_json: AsJson = False) -> None:
    """List the access tokens of a user."""
    with session_of(context).client() as client:
        found = list(client.list_access_tokens(user))
    if as_json:
        print_json(found)
        return
    print_table(
        ["token", "name", "made", "expires"],
        ((one.name, one.display_name, one.create_time, one.expire_time) for one in found),
    )


@tokens.command()
def revoke(
    context: Context,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Name, see `tokens list`.")],
) -> None:
    """End an access token at once."""
    with session_of(context).client() as client:
        client.revoke_access_token(token)
    note(f"Revoked {token}.")
