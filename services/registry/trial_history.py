"""The trials of a project, those that are over too, read from the deployment log."""

from __future__ import annotations

from services.common.idempotency import RequestKey
from services.common.paging import Page, find_page
from services.common.store.port import Condition, DocumentStore, Eq, Gt, In, Order
from services.common.store.requests import find_request
from services.registry.deployment_log import LOG_COLLECTION
from services.registry.trial import Trial, TrialState
from services.registry.trial_documents import trial_of

_LOG = LOG_COLLECTION.name


class TrialHistory:
    """Reads trials; what appends them is ``DeploymentLog``."""

    def __init__(self, store: DocumentStore) -> None:
        """Use an opened store."""
        self._store = store

    async def get(self, project: str, number: int) -> Trial | None:
        """Return a trial as it is now."""
        found = await self._store.find(
            _LOG,
            where=[Eq("project", project), Eq("trial.number", number)],
            order=[Order(field="position", descending=True)],
            limit=1,
        )
        return trial_of(found[0].body["trial"]) if found else None

    async def page(self, project: str, page: Page, scope: str) -> tuple[list[Trial], str]:
        """Return a page of a project's trials, newest first, and the token of the next page."""
        began: list[Condition] = [
            Eq("project", project),
            Gt("trial.number", 0),
            Eq("trial.state", TrialState.RUNNING.value),
        ]
        newest = [Order(field="trial.number", descending=True)]
        found, token = await find_page(self._store, _LOG, began, newest, page, scope)
        if not found:
            return [], ""
        numbers = [stored.body["trial"]["number"] for stored in found]
        entries = await self._store.find(
            _LOG,
            where=[Eq("project", project), In("trial.number", numbers)],
            order=[Order(field="position")],
            limit=2 * len(numbers),  # the begin and the end of each
        )
        trials = {one.number: one for one in (trial_of(e.body["trial"]) for e in entries)}
        return [trials[number] for number in numbers], token

    async def by_request(self, request: RequestKey) -> Trial | None:
        """Return the trial that this request began or ended before.

        Raises:
            InvalidArgumentError: The id belongs to a different request (REQUEST_ID_REUSED).
        """
        stored = await find_request(self._store, _LOG, request)
        return None if stored is None else trial_of(stored.body["trial"])
