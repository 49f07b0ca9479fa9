"""What Prometheus is told about trials."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.inference.trials.board import TrialBoard
from services.inference.trials.domain import CandidateState


class TrialMetrics(Collector):
    """Reads the trials that run when it is asked; what is over is told by the registry."""

    def __init__(self, board: TrialBoard) -> None:
        """Report on the trials of this server."""
        self._board = board

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of this moment."""
        names = ["project", "trial"]
        ready = GaugeMetricFamily(
            "spanloop_trial_candidate_ready", "Whether the candidate is loaded.", labels=names
        )
        paused = GaugeMetricFamily(
            "spanloop_trial_paused",
            "Whether a canary does not answer, as the registry takes no reports.",
            labels=names,
        )
        requests = CounterMetricFamily(
            "spanloop_trial_requests",
            "Requests that fell to the candidate, by what became of them.",
            labels=[*names, "outcome"],
        )
        texts = CounterMetricFamily(
            "spanloop_trial_compared_texts",
            "Texts whose two answers were compared.",
            labels=[*names, "outcome"],
        )
        spans = CounterMetricFamily(
            "spanloop_trial_differences",
            "Spans, chosen values and statuses that differ, by label or control.",
            labels=[*names, "name", "difference"],
        )
        for tried in self._board.all():
            labels = [tried.trial.project, tried.trial.name.rpartition("/")[2]]
            state, _ = self._board.state(tried)
            ready.add_metric(labels, float(state is CandidateState.READY))
            paused.add_metric(labels, float(self._board.paused(tried)))
            counts = tried.tally.counts()
            for outcome, number in (
                ("answered", counts.requests - counts.errors),
                ("failed", counts.errors),
                ("skipped", counts.skipped_requests),
                ("not_compared", counts.dropped_requests),
            ):
                requests.add_metric([*labels, outcome], number)
            texts.add_metric([*labels, "same"], counts.compared_texts - counts.differing_texts)
            texts.add_metric([*labels, "differing"], counts.differing_texts)
            for (kind, name), found in counts.differences.items():
                for part in ("added", "missing", "changed"):
                    spans.add_metric(
                        [*labels, name or kind.value.lower(), part], getattr(found, part)
                    )
        yield from (ready, paused, requests, texts, spans)
