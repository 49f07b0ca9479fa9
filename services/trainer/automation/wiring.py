"""Settings, groups, active learning and deploying after training, put together."""

from __future__ import annotations

from dataclasses import dataclass

from services.common.clock import Clock
from services.common.ids import IdSource
from services.common.server import BackgroundTask, GrpcService
from services.common.store.port import DocumentStore
from services.common.watch import Signal
from services.trainer.automation.deploying import Deployer
from services.trainer.automation.group_repository import GROUPS_COLLECTION, GroupRepository
from services.trainer.automation.groups import GroupHandlers
from services.trainer.automation.policy_runner import PolicyParts, PolicyRunner
from services.trainer.automation.policy_state import STATES_COLLECTION, LearningStates
from services.trainer.automation.servicer import grpc_services
from services.trainer.automation.settings_handlers import SettingsHandlers
from services.trainer.automation.settings_repository import SETTINGS_COLLECTION, SettingsRepository
from services.trainer.planning import Planner
from services.trainer.ports import AnnotationPeer, RegistryPeer
from services.trainer.repository import JobRepository

AUTOMATION_COLLECTIONS = (SETTINGS_COLLECTION, STATES_COLLECTION, GROUPS_COLLECTION)


@dataclass(frozen=True, kw_only=True)
class AutomationParts:
    """What the rest of the trainer lends."""

    store: DocumentStore
    jobs: JobRepository
    annotation: AnnotationPeer
    registry: RegistryPeer
    planner: Planner
    signal: Signal
    clock: Clock
    ids: IdSource
    poll_seconds: float


class Automation:
    """What trains and deploys without a hand on it."""

    def __init__(self, parts: AutomationParts) -> None:
        """Wire it; nothing runs before the background tasks do."""
        self.settings = SettingsRepository(parts.store)
        self._parts = parts
        self._states = LearningStates(parts.store)
        self.groups = GroupHandlers(
            GroupRepository(parts.store, parts.jobs),
            parts.jobs,
            parts.planner,
            self.settings,
            parts.signal,
            parts.clock,
            parts.ids,
        )

    def services(self) -> list[GrpcService]:
        """Return the services to serve."""
        parts = self._parts
        settings = SettingsHandlers(
            self.settings, self._states, parts.jobs, parts.planner, parts.signal, parts.clock
        )
        return grpc_services(settings, self.groups)

    def background(self) -> list[BackgroundTask]:
        """Return what runs beside the server."""
        parts = self._parts
        deployer = Deployer(
            parts.jobs,
            self.settings,
            parts.registry,
            parts.signal,
            interval_seconds=parts.poll_seconds,
        )
        policies = PolicyRunner(
            PolicyParts(
                settings=self.settings,
                states=self._states,
                jobs=parts.jobs,
                groups=self.groups,
                annotation=parts.annotation,
                signal=parts.signal,
                clock=parts.clock,
                poll_seconds=parts.poll_seconds,
            )
        )
        return [
            BackgroundTask(name="deployer", run=deployer.run),
            BackgroundTask(name="policies", run=policies.run),
        ]
