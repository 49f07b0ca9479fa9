"""What Prometheus is told about serving."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.inference.batcher import Batcher
from services.inference.manager import GenerationManager
from services.inference.preannotate import Tally
from services.inference.runner import PreannotationRunner


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


class PreannotationMetrics(Collector):
    """How far pre-annotation jobs are, and what they have done so far."""

    def __init__(self, runner: PreannotationRunner, tally: Tally) -> None:
        """Report on the jobs of this process."""
        self._runner = runner
        self._tally = tally

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of this moment."""
        running = self._runner.running
        jobs = GaugeMetricFamily("spanloop_preannotation_running_jobs", "Jobs under way.")
        jobs.add_metric([], len(running))
        yield jobs
        tasks = GaugeMetricFamily(
            "spanloop_preannotation_job_tasks",
            "Tasks of the job that a project has under way: all, done, and of these skipped.",
            labels=["project", "state"],
        )
        for project, progress in sorted(running.items()):
            tasks.add_metric([project, "total"], progress.total_tasks or 0)
            tasks.add_metric([project, "done"], progress.done_tasks)
            tasks.add_metric([project, "skipped"], progress.skipped_tasks)
        yield tasks
        done = CounterMetricFamily(
            "spanloop_preannotation_tasks",
            "Tasks that jobs have predicted, or skipped as their prediction is current.",
            labels=["outcome"],
        )
        done.add_metric(["predicted"], self._tally.predicted_tasks)
        done.add_metric(["skipped"], self._tally.skipped_tasks)
        yield done
        written = CounterMetricFamily(
            "spanloop_preannotation_predictions_written", "Predictions that jobs have stored."
        )
        written.add_metric([], self._tally.written_predictions)
        yield written
