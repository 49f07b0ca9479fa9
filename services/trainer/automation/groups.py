"""Groups: one request trains all models of a mixed project from one snapshot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from services.common.clock import Clock
from services.common.errors import invalid_field
from services.common.idempotency import RequestKey
from services.common.ids import IdSource
from services.common.names import parse_name
from services.common.validate import check_count
from services.common.watch import Signal
from services.trainer.automation.group_repository import GroupRepository, TrainingGroup, group_name
from services.trainer.automation.settings_repository import SettingsRepository
from services.trainer.domain import ModelType, TrainingJob
from services.trainer.handlers import PROJECT, QUEUE_KEY
from services.trainer.planning import Planner, group_types
from services.trainer.ports import Snapshot
from services.trainer.repository import JobRepository

GROUP = "projects/{project}/trainingGroups/{group}"
_MAX_CONTROLS = 100


class GroupHandlers:
    """Creates and reads groups of training jobs."""

    def __init__(
        self,
        groups: GroupRepository,
        jobs: JobRepository,
        planner: Planner,
        settings: SettingsRepository,
        signal: Signal,
        clock: Clock,
        ids: IdSource,
    ) -> None:
        """Work with these parts."""
        self._groups = groups
        self._jobs = jobs
        self._planner = planner
        self._settings = settings
        self._signal = signal
        self._clock = clock
        self._ids = ids

    async def create(
        self,
        parent: str,
        template: TrainingJob,
        types: Sequence[ModelType],
        controls: Sequence[str],
        request_id: str,
        fingerprint_of: bytes,
    ) -> tuple[TrainingGroup, list[TrainingJob]]:
        """Queue a job for each model that a project's annotations allow.

        Args:
            parent: ``projects/{project}``.
            template: What all jobs have in common.
            types: Only these; empty: all that the project has.
            controls: The `Choices` controls to train; empty: the default one.
            request_id: As sent.
            fingerprint_of: Canonical bytes of what was asked for.

        Raises:
            InvalidArgumentError: A field is unusable, or nothing can be trained.
        """
        project = parse_name(PROJECT, parent, "parent")["project"]
        for name in ("labels", "control"):
            if getattr(template, name):
                raise invalid_field(f"template.{name}", "must be empty in a group.")
        check_count(controls, "controls", 0, _MAX_CONTROLS)
        # The types stand in the fingerprint, not in the template.
        content = json.dumps([fingerprint_of.hex(), sorted(types), list(controls)]).encode()
        key = RequestKey.of("CreateTrainingGroup", parent, request_id, content)
        return await self.start(project, template, types, controls, key)

    async def start(
        self,
        project: str,
        template: TrainingJob,
        types: Sequence[ModelType],
        controls: Sequence[str],
        key: RequestKey | None,
    ) -> tuple[TrainingGroup, list[TrainingJob]]:
        """Create a group under a key; a repeat returns the first group with its jobs now."""
        group = None if key is None else await self._groups.find_repeat(key)
        if group is None:
            self._planner.check(template, "template")
            new_id = self._ids.new()
            snapshot = await self._planner.snapshot(
                project, template, key.key if key else new_id, "template"
            )
            jobs = await self._plan(project, template, snapshot, types, controls)
            settings = await self._settings.get(project)
            now = self._clock.now()
            group = TrainingGroup(
                project=project,
                id=new_id,
                create_time=now,
                jobs=tuple(
                    replace(
                        job,
                        id=self._ids.new(),
                        group=group_name(project, new_id),
                        replace_newest=settings.versioning_disabled,
                        # In the order of the types, also where they are listed by time.
                        create_time=now + place,
                    )
                    for place, job in enumerate(jobs)
                ),
            )
            group = await self._groups.create(group, key)
        else:
            group = await self._groups.finish(group)
        self._signal.notify(QUEUE_KEY)
        return group, await self._jobs_of(group)

    async def get(self, name: str) -> tuple[TrainingGroup, list[TrainingJob]]:
        """Return a group and its jobs."""
        found = parse_name(GROUP, name)
        group = await self._groups.get(found["project"], found["group"])
        return group, await self._jobs_of(group)

    async def finish_all(self) -> None:
        """Finish the groups that a process that died left undone."""
        if await self._groups.finish_all():
            self._signal.notify(QUEUE_KEY)

    async def _jobs_of(self, group: TrainingGroup) -> list[TrainingJob]:
        return await self._jobs.get_many([job.id for job in group.jobs])

    async def _plan(
        self,
        project: str,
        template: TrainingJob,
        snapshot: Snapshot,
        types: Sequence[ModelType],
        controls: Sequence[str],
    ) -> list[TrainingJob]:
        wanted = sorted(set(types), key=list(ModelType).index) or group_types(snapshot)
        if controls and ModelType.CLASSIFICATION not in wanted:
            raise invalid_field("controls", "are trained with MODEL_TYPE_CLASSIFICATION only.")
        jobs = []
        for kind in wanted:
            named: Sequence[str] = [""]
            if kind is ModelType.CLASSIFICATION:
                named = list(dict.fromkeys(controls)) or [template.control]
            for control in named:
                one = replace(template, model_type=kind, control=control)
                jobs.append(await self._planner.plan(project, one, snapshot, "template"))
        if not jobs:
            raise invalid_field(
                "template.data" if template.data else "template.snapshot",
                "has no spans, choices or assertion statuses to train on.",
            )
        return jobs
