from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import spanloop
from spanloop import errors, types
from spanloop.annotation.v1 import (
    annotation_service_pb2,
    completion_pb2,
    event_pb2,
    task_pb2,
)
from spanloop.common.v1 import evaluation_pb2, text_pb2
from spanloop.inference.v1 import export_pb2, preannotation_job_pb2, predict_pb2, serving_state_pb2
from spanloop.registry.v1 import audit_pb2, deployment_pb2, model_version_pb2, server_pb2, trial_pb2
from spanloop.trainer.v1 import training_job_pb2

ROOT = Path(__file__).resolve().parents[2]
SDK = ROOT / "sdk" / "spanloop"


def test_public_names_are_pinned() -> None:
    assert spanloop.__all__ == [
        "AsyncClient",
        "Client",
        "ClientOptions",
        "Endpoints",
        "RetryPolicy",
        "SpanloopError",
        "Tls",
    ]
    assert {name for name, kind in vars(errors).items() if inspect.isclass(kind)} - {
        "Mapping",
        "Sequence",
    } == {
        "Aborted",
        "AlreadyExists",
        "Cancelled",
        "ConfigurationError",
        "DataLoss",
        "DeadlineExceeded",
        "FailedPrecondition",
        "FieldViolation",
        "Internal",
        "InvalidArgument",
        "NotFound",
        "OutOfRange",
        "PermissionDenied",
        "PreconditionViolation",
        "ResourceExhausted",
        "SpanloopError",
        "Unauthenticated",
        "Unavailable",
        "Unimplemented",
    }
    assert len(types.__all__) == len(set(types.__all__)) == 143
    assert all(hasattr(types, name) for name in types.__all__)
    assert (SDK / "py.typed").exists()


CALLS = [
    "add_member",
    "agreement",
    "apply_rule_set",
    "assign_models",
    "cancel_preannotation_job",
    "cancel_training_job",
    "choose_trunk_precision",
    "close",
    "count_labels",
    "create_access_token",
    "create_completion",
    "create_label",
    "create_preannotation_job",
    "create_project",
    "create_rule_set",
    "create_snapshot",
    "create_task",
    "create_training_group",
    "create_training_job",
    "create_training_script",
    "delete_completion",
    "delete_model_alias",
    "delete_rule_set",
    "delete_task",
    "delete_training_script",
    "deploy",
    "describe_engines",
    "diff_snapshots",
    "download_training_logs",
    "download_training_report",
    "end_trial",
    "export",
    "export_model",
    "export_snapshot",
    "get_active_learning_state",
    "get_caller",
    "get_completion",
    "get_deployment",
    "get_label",
    "get_lineage",
    "get_model_card",
    "get_model_version",
    "get_preannotation_job",
    "get_project",
    "get_registry_policy",
    "get_rule_set",
    "get_snapshot",
    "get_task",
    "get_training_group",
    "get_training_job",
    "get_training_report",
    "get_training_script",
    "get_training_settings",
    "get_trial",
    "health",
    "import_file",
    "list_access_tokens",
    "list_audit",
    "list_completions",
    "list_deployment_revisions",
    "list_labels",
    "list_members",
    "list_model_aliases",
    "list_model_versions",
    "list_preannotation_jobs",
    "list_predictions",
    "list_projects",
    "list_registry_audit",
    "list_resources",
    "list_revisions",
    "list_rule_sets",
    "list_servers",
    "list_snapshots",
    "list_tasks",
    "list_training_jobs",
    "list_training_scripts",
    "list_trials",
    "pin_label",
    "predict",
    "preview_rules",
    "preview_selection",
    "purge_task",
    "read_snapshot",
    "remove_member",
    "restore_revision",
    "retire_model_version",
    "review_completion",
    "revoke_access_token",
    "rollback",
    "run_retention",
    "serving_state",
    "set_labeling_config",
    "set_model_alias",
    "set_tie_break",
    "star_completion",
    "start_trial",
    "submit_completion",
    "suggest_tasks",
    "tag_tasks",
    "trace_prediction",
    "undelete_completion",
    "undelete_task",
    "unpin_label",
    "update_completion",
    "update_label",
    "update_member",
    "update_project",
    "update_registry_policy",
    "update_rule_set",
    "update_task",
    "update_training_settings",
    "validate_labeling_config",
    "watch_deployment",
    "watch_events",
    "watch_preannotation_job",
    "watch_training_job",
    "write_predictions",
]


@pytest.mark.parametrize("client", [spanloop.Client, spanloop.AsyncClient])
def test_calls_are_pinned(client: type) -> None:
    assert sorted(name for name in dir(client) if not name.startswith("_")) == CALLS


@pytest.mark.parametrize("name", [*CALLS, "__init__"])
def test_both_clients_have_the_same_parameters(name: str) -> None:
    sync = inspect.signature(getattr(spanloop.Client, name))
    async_ = inspect.signature(getattr(spanloop.AsyncClient, name))
    assert sync.parameters == async_.parameters


def test_the_synchronous_client_is_what_the_asynchronous_one_gives() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "sync_client.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_sdk_imports_no_service_and_no_heavy_package() -> None:
    code = (
        "import sys, spanloop, spanloop.cli;"
        "heavy = {'services', 'grpc_status', 'numpy', 'onnxruntime', 'torch',"
        " 'pydantic', 'psutil', 'click'};"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for path in SDK.rglob("*.py"):
        assert not re.search(r"^\s*(import|from) services\b", path.read_text(), re.MULTILINE), path


@pytest.mark.parametrize(
    ("enum", "wrapper", "prefix"),
    [
        (types.Split, evaluation_pb2.Split, "SPLIT_"),
        (types.ModelType, evaluation_pb2.ModelType, "MODEL_TYPE_"),
        (types.OffsetEncoding, text_pb2.TextOffsetEncoding, "TEXT_OFFSET_ENCODING_"),
        (types.TaskStatus, task_pb2.TaskStatus, "TASK_STATUS_"),
        (types.CompletionState, completion_pb2.CompletionState, "COMPLETION_STATE_"),
        (types.TaskFormat, annotation_service_pb2.TaskFormat, "TASK_FORMAT_"),
        (types.EventType, event_pb2.EventType, "EVENT_TYPE_"),
        (types.TrainingJobState, training_job_pb2.TrainingJobState, "TRAINING_JOB_STATE_"),
        (
            types.TrainingFailureReason,
            training_job_pb2.TrainingFailureReason,
            "TRAINING_FAILURE_REASON_",
        ),
        (types.TrainingSource, training_job_pb2.TrainingSource, "TRAINING_SOURCE_"),
        (types.ModelVersionState, model_version_pb2.ModelVersionState, "MODEL_VERSION_STATE_"),
        (types.DeploymentAction, deployment_pb2.DeploymentAction, "DEPLOYMENT_ACTION_"),
        (types.AuditAction, audit_pb2.AuditAction, "AUDIT_ACTION_"),
        (types.Device, server_pb2.Device, "DEVICE_"),
        (types.TrialMode, trial_pb2.TrialMode, "TRIAL_MODE_"),
        (types.TrialState, trial_pb2.TrialState, "TRIAL_STATE_"),
        (types.CandidateState, trial_pb2.CandidateState, "CANDIDATE_STATE_"),
        (types.Granularity, predict_pb2.Granularity, "GRANULARITY_"),
        (types.ExportLayout, export_pb2.ExportLayout, "EXPORT_LAYOUT_"),
        (types.GenerationState, serving_state_pb2.GenerationState, "GENERATION_STATE_"),
        (
            types.PreannotationJobState,
            preannotation_job_pb2.PreannotationJobState,
            "PREANNOTATION_JOB_STATE_",
        ),
    ],
)
def test_enums_have_the_members_of_the_protos(enum, wrapper, prefix) -> None:  # type: ignore[no-untyped-def]
    assert [member.name for member in enum] == [
        name.removeprefix(prefix)
        for name in wrapper.keys()  # noqa: SIM118 - not a dict
    ]
    assert [member.value for member in enum] == [member.name.lower() for member in enum]


def test_words_of_enumerations_are_forgiving_and_their_mistakes_clear() -> None:
    assert types.TaskFormat("Label-Studio") is types.TaskFormat.LABEL_STUDIO
    assert types.Role(types.Role.OWNER) is types.Role.OWNER
    with pytest.raises(ValueError, match=r"'boss' is no Role: choose one of owner, manager, "):
        types.Role("boss")
    with pytest.raises(ValueError, match="choose one of") as mistake:
        types.TaskStatus("done")
    assert "unspecified" not in str(mistake.value)
