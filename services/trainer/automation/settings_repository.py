"""Training settings as documents: one per project, changed by compare-and-swap."""

from __future__ import annotations

from dataclasses import asdict

from services.common.errors import etag_mismatch
from services.common.store.port import (
    Collection,
    Document,
    DocumentStore,
    DuplicateError,
    Eq,
    Index,
    RevisionError,
    Stored,
)
from services.trainer.automation.settings import Gate, Policy, Settings
from services.trainer.documents import job_document, job_of
from services.trainer.domain import ModelType

_SETTINGS = "training_settings"
_LIMIT = 1000

SETTINGS_COLLECTION = Collection(name=_SETTINGS, indexes=(Index(fields=("policy.enabled",)),))


class SettingsRepository:
    """Settings over a document store."""

    def __init__(self, store: DocumentStore) -> None:
        """Work on an open store."""
        self._store = store

    async def get(self, project: str) -> Settings:
        """Return a project's settings; the defaults when nobody changed them."""
        stored = await self._store.get(_SETTINGS, project)
        return Settings(project=project) if stored is None else _settings_of(stored)

    async def replace(self, before: Settings, after: Settings) -> Settings:
        """Store changed settings.

        Raises:
            AbortedError: ETAG_MISMATCH: someone else changed them since `before` was read.
        """
        body = _document(after)
        try:
            if before.version == 0:
                stored = await self._store.insert(_SETTINGS, after.project, body)
            else:
                stored = await self._store.replace(
                    _SETTINGS, after.project, body, expected_revision=before.version
                )
        except (DuplicateError, RevisionError):
            raise etag_mismatch(after.name) from None
        return _settings_of(stored)

    async def with_policy(self) -> list[Settings]:
        """Return the settings of all projects that train by themselves."""
        found = await self._store.find(_SETTINGS, where=[Eq("policy.enabled", True)], limit=_LIMIT)
        return [_settings_of(stored) for stored in found]


def _document(settings: Settings) -> Document:
    policy = settings.policy
    return {
        "versioning_disabled": settings.versioning_disabled,
        "policy": {
            "enabled": policy.enabled,
            "min_new_completions": policy.min_new_completions,
            "max_interval": policy.max_interval,
            "deploy": policy.deploy,
            "model_type": policy.model_type and policy.model_type.value,
            "template": job_document(policy.template),
        },
        "gate": asdict(settings.gate),
        "update_time": settings.update_time,
    }


def _settings_of(stored: Stored) -> Settings:
    body = stored.body
    policy = body["policy"]
    template = Stored(id="", revision=0, body=policy["template"])
    return Settings(
        project=stored.id,
        versioning_disabled=body["versioning_disabled"],
        policy=Policy(
            enabled=policy["enabled"],
            min_new_completions=policy["min_new_completions"],
            max_interval=policy["max_interval"],
            deploy=policy["deploy"],
            model_type=ModelType(policy["model_type"]) if policy["model_type"] else None,
            template=job_of(template),
        ),
        gate=Gate(**body["gate"]),
        version=stored.revision,
        update_time=body["update_time"],
    )
