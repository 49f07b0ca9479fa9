"""What settings there are and what they are now, for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from services.common.settings import ServiceSettings

JsonValue = str | int | float | bool | None | list[str]
_MASK = "********"


@dataclass(frozen=True, kw_only=True)
class SettingInfo:
    """One setting of a service.

    Attributes:
        name: The field's name.
        env: The variables it is read from, the first that is set and not empty wins.
        type: Its type, as in Python.
        default: Value when no variable is set.
        description: What it does.
        value: Value in use; secrets are masked.
    """

    name: str
    env: list[str]
    type: str
    default: JsonValue
    description: str
    value: JsonValue

    def as_json(self) -> Mapping[str, JsonValue]:
        """Return the fields as a JSON object."""
        return asdict(self)


def describe(
    settings_class: type[ServiceSettings], settings: ServiceSettings | None = None
) -> list[SettingInfo]:
    """Return all settings of a service with their values in `settings`, by default those now.

    Raises:
        pydantic.ValidationError: A variable has an unusable value.
    """
    current = settings if settings is not None else settings_class()
    prefixes = settings_class.env_prefixes()
    effective = {
        "database_url": current.database,
        "token_file": str(current.token_path),
    }
    found = []
    for name, field in settings_class.model_fields.items():
        annotation = field.annotation
        default = field.get_default(call_default_factory=True, validated_data={})
        value = effective.get(name, getattr(current, name))
        found.append(
            SettingInfo(
                name=name,
                env=[prefix + name.upper() for prefix in prefixes],
                type=annotation.__name__ if isinstance(annotation, type) else str(annotation),
                default=None if default is PydanticUndefined else _plain(default),
                description=field.description or "",
                value=_plain(value),
            )
        )
    return found


def _plain(value: object) -> JsonValue:
    match value:
        case SecretStr():
            return _MASK if value.get_secret_value() else ""
        case None | bool() | int() | float():
            return value
        case str():
            return _without_password(value)
        case Path():
            return str(value)
        case list() | tuple() | set() | frozenset():
            return [str(item) for item in value]
        case _:
            return str(value)


def _without_password(value: str) -> str:
    """Mask the password of a URL such as mongodb://user:password@host/database."""
    if "://" not in value or "@" not in value:
        return value
    try:
        parts = urlsplit(value)
    except ValueError:
        return _MASK
    credentials, _, host = parts.netloc.rpartition("@")
    if ":" not in credentials:
        return value
    user = credentials.partition(":")[0]
    return parts._replace(netloc=f"{user}:{_MASK}@{host}").geturl()
