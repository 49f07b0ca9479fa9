"""Workers as protobuf messages."""

from __future__ import annotations

from services.common.times import to_timestamp
from services.trainer.convert import resources_out
from services.trainer.resources.handlers import WorkerView
from services.trainer.resources.slots import needed
from spanloop.trainer.v1 import resources_pb2


def worker_out(view: WorkerView) -> resources_pb2.Worker:
    """Return a worker's message."""
    entry = view.entry
    return resources_pb2.Worker(
        id=entry.id,
        capacity=resources_out(entry.capacity),
        free=resources_out(view.free),
        max_jobs=entry.max_jobs,
        jobs=[
            resources_pb2.RunningJob(
                training_job=job.name,
                resources=resources_out(needed(job.resources)),
                start_time=to_timestamp(job.start_time),
            )
            for job in view.jobs
        ],
        gpu_available=entry.capacity.gpu > 0,
        gpus=entry.gpus,
        execution_providers=entry.providers,
        last_seen_time=to_timestamp(entry.seen),
        engines=entry.engines,
    )
