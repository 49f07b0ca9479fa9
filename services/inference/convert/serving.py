"""What the service tells of itself: its generations and its jobs."""

from __future__ import annotations

from services.common.times import to_timestamp
from services.inference.convert.basic import versions
from services.inference.domain import JobState, PreannotationJob
from services.inference.generation import Generation, GenerationState
from spanloop.inference.v1 import preannotation_job_pb2, serving_state_pb2

_JOB_STATES = {
    JobState.WAITING: preannotation_job_pb2.PREANNOTATION_JOB_STATE_WAITING,
    JobState.RUNNING: preannotation_job_pb2.PREANNOTATION_JOB_STATE_RUNNING,
    JobState.DONE: preannotation_job_pb2.PREANNOTATION_JOB_STATE_DONE,
    JobState.FAILED: preannotation_job_pb2.PREANNOTATION_JOB_STATE_FAILED,
    JobState.CANCELLED: preannotation_job_pb2.PREANNOTATION_JOB_STATE_CANCELLED,
}
# Total: UNLOADED ones are gone before anybody can ask, and would be the last of draining.
_GENERATION_STATES = {
    GenerationState.NEW: serving_state_pb2.GENERATION_STATE_LOADING,
    GenerationState.LOADING: serving_state_pb2.GENERATION_STATE_LOADING,
    GenerationState.READY: serving_state_pb2.GENERATION_STATE_READY,
    GenerationState.DRAINING: serving_state_pb2.GENERATION_STATE_DRAINING,
    GenerationState.UNLOADED: serving_state_pb2.GENERATION_STATE_DRAINING,
    GenerationState.ERROR: serving_state_pb2.GENERATION_STATE_ERROR,
}


def generation_message(generation: Generation) -> serving_state_pb2.LoadedGeneration:
    """Return a generation as GetServingState tells it."""
    deployment = generation.deployment
    adapters = deployment.adapters
    message = serving_state_pb2.LoadedGeneration(
        name=deployment.generation,
        state=_GENERATION_STATES[generation.state],
        deployment_revision=deployment.revision,
        model_versions=versions(adapters.labels),
        # Of several trunks the first is named.
        trunk_digest=min((ref.trunk_digest for _, _, ref in adapters.items()), default=""),
        resident_bytes=generation.resident_bytes,
        active_requests=generation.active,
        error_message=generation.error_message,
        load_seconds=generation.load_seconds,
        choice_model_versions=versions(adapters.controls),
    )
    if adapters.assertion is not None:
        message.assertion_model_version = adapters.assertion.model_version
    if generation.ready_time is not None:
        message.ready_time.CopyFrom(to_timestamp(generation.ready_time))
    return message


def job_message(job: PreannotationJob) -> preannotation_job_pb2.PreannotationJob:
    """Return a job."""
    message = preannotation_job_pb2.PreannotationJob(
        name=job.name,
        labels=job.labels,
        min_score=job.min_score,
        stale_only=job.stale_only,
        state=_JOB_STATES[job.state],
        generation=job.progress.generation,
        total_tasks=job.progress.total_tasks or 0,
        done_tasks=job.progress.done_tasks,
        skipped_tasks=job.progress.skipped_tasks,
        written_predictions=job.progress.written_predictions,
        failure_message=job.failure_message,
        cancel_requested=job.cancel_requested,
        etag=str(job.revision),
        create_time=to_timestamp(job.create_time),
    )
    if job.start_time is not None:
        message.start_time.CopyFrom(to_timestamp(job.start_time))
    if job.end_time is not None:
        message.end_time.CopyFrom(to_timestamp(job.end_time))
    return message
