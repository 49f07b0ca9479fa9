"""What Prometheus is told about serving."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.inference.batcher import Batcher
from services.inference.manager import GenerationManager


class ServingMetrics(Collector):
    """Reads the state when it is asked, so that nothing has to be kept in step."""

    def __init__(self, manager: GenerationManager, batcher: Batcher) -> None:
        """Report on these."""
        self._manager = manager
        self._batcher = batcher

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of this moment."""
        queue = GaugeMetricFamily("spanloop_queue_tokens", "Tokens of requests under way.")
        queue.add_metric([], self._batcher.admitted_tokens)
        yield queue
        background = GaugeMetricFamily(
            "spanloop_background_tokens", "Tokens of pre-annotation jobs under way."
        )
        background.add_metric([], self._batcher.background_tokens)
        yield background
        speed = GaugeMetricFamily(
            "spanloop_device_tokens_per_second", "Tokens that the device did in a second of late."
        )
        speed.add_metric([], self._batcher.tokens_per_second)
        yield speed
        names = ["project", "revision", "state"]
        active = GaugeMetricFamily(
            "spanloop_generation_active_requests", "Requests under way.", labels=names
        )
        resident = GaugeMetricFamily(
            "spanloop_generation_resident_bytes", "Bytes of adapter weights.", labels=names
        )
        load = GaugeMetricFamily(
            "spanloop_generation_load_seconds", "Time from first sight to READY.", labels=names
        )
        for generation in self._manager.generations():
            deployment = generation.deployment
            labels = [deployment.project, str(deployment.revision), generation.state.value]
            active.add_metric(labels, generation.active)
            resident.add_metric(labels, generation.resident_bytes)
            load.add_metric(labels, generation.load_seconds)
        yield from (active, resident, load)
