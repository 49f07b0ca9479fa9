"""Calls about trials of model versions on live traffic."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from spanloop import types
from spanloop._convert import trials as convert
from spanloop._names import Named, child_name, name_of, project_name
from spanloop._sync.transport import Transport
from spanloop.registry.v1 import trial_pb2
from spanloop.registry.v1 import trial_service_pb2 as pb


class TrialCalls:
    """Shadow and canary."""

    _transport: Transport

    def start_trial(
        self,
        project: str | Named,
        version: str | Named,
        *,
        mode: types.TrialMode | str = types.TrialMode.SHADOW,
        share: float = 1.0,
        limits: types.TrialLimits | None = None,
        force: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.Trial:
        """Try a READY model version (id, full name or alias) on a share of the live requests.

        A shadow never answers; a canary does, and is refused like a deployment when the project's
        gate refuses the version, unless `force`. FailedPrecondition while another trial runs.
        """
        request = pb.StartTrialRequest(
            parent=project_name(project),
            trial=trial_pb2.Trial(
                model_version=child_name(project, "modelVersions", version),
                mode=convert.mode_to(mode),
                share=share,
                limits=convert.limits_to(limits or types.TrialLimits()),
            ),
            force=force,
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(
            self._transport.trials.StartTrial, request, timeout=timeout
        )
        return convert.trial(response.trial)

    def get_trial(self, trial: str | Named, *, timeout: float | None = None) -> types.Trial:
        """Read a trial (full name) with what was counted so far."""
        response = self._transport.unary(
            self._transport.trials.GetTrial,
            pb.GetTrialRequest(name=name_of(trial)),
            timeout=timeout,
        )
        return convert.trial(response.trial)

    def list_trials(
        self, project: str | Named, *, timeout: float | None = None
    ) -> Iterator[types.Trial]:
        """Iterate over the trials of a project, newest first: only the first may be RUNNING."""
        return self._transport.pages(
            self._transport.trials.ListTrials,
            pb.ListTrialsRequest(parent=project_name(project)),
            lambda page: map(convert.trial, page.trials),
            timeout,
        )

    def end_trial(
        self,
        trial: str | Named,
        *,
        promote: bool = False,
        force: bool = False,
        etag: str = "",
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> types.Trial:
        """End a trial (full name); with `promote` its candidate is deployed in the same step.

        Aborted when `etag` is given and the trial ended since; FailedPrecondition when it is over,
        or when the project's gate refuses the candidate (GATE_FAILED), unless `force`.
        """
        request = pb.EndTrialRequest(
            name=name_of(trial),
            promote=promote,
            force=force,
            etag=etag,
            request_id=request_id or uuid4().hex,
        )
        response = self._transport.unary(self._transport.trials.EndTrial, request, timeout=timeout)
        return convert.trial(response.trial)
