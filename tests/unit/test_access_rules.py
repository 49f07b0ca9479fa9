"""Every method of every service has exactly one access rule."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
from google.protobuf.descriptor import FileDescriptor

from services.common.auth import Access
from spanloop.annotation.v1 import (
    agreement_service_pb2,
    annotation_service_pb2,
    history_service_pb2,
    labeling_service_pb2,
    member_service_pb2,
    rule_service_pb2,
    suggestion_service_pb2,
)
from spanloop.inference.oip.v2 import open_inference_service_pb2
from spanloop.inference.v1 import inference_service_pb2
from spanloop.registry.v1 import (
    governance_service_pb2,
    registry_service_pb2,
    server_service_pb2,
    trial_service_pb2,
)
from spanloop.trainer.v1 import (
    resource_service_pb2,
    trainer_service_pb2,
    training_group_service_pb2,
    training_report_service_pb2,
    training_script_service_pb2,
    training_settings_service_pb2,
)

CONTRACTS: dict[str, tuple[ModuleType, ...]] = {
    "annotation": (
        agreement_service_pb2,
        annotation_service_pb2,
        history_service_pb2,
        labeling_service_pb2,
        member_service_pb2,
        rule_service_pb2,
        suggestion_service_pb2,
    ),
    "trainer": (
        resource_service_pb2,
        trainer_service_pb2,
        training_group_service_pb2,
        training_report_service_pb2,
        training_script_service_pb2,
        training_settings_service_pb2,
    ),
    "registry": (
        governance_service_pb2,
        registry_service_pb2,
        server_service_pb2,
        trial_service_pb2,
    ),
    "inference": (inference_service_pb2, open_inference_service_pb2),
}


# Of the Open Inference Protocol.
HEALTH = {f"/inference.GRPCInferenceService/Server{state}" for state in ("Live", "Ready")}


def methods(contracts: tuple[ModuleType, ...]) -> set[str]:
    files: list[FileDescriptor] = [contract.DESCRIPTOR for contract in contracts]
    return {
        f"/{service.full_name}/{method.name}"
        for file in files
        for service in file.services_by_name.values()
        for method in service.methods
    }


@pytest.mark.parametrize("name", sorted(CONTRACTS))
def test_every_method_has_a_rule_and_no_rule_is_unknown(name: str) -> None:
    rules = importlib.import_module(f"services.{name}.access").ACCESS
    expected = methods(CONTRACTS[name])
    assert expected
    assert set(rules) == expected
    # Nothing but health is public; whoever opens a method says so here.
    public = {method for method, rule in rules.items() if rule is Access.PUBLIC}
    assert public == {method for method in expected if method in HEALTH}


def test_users_tokens_open_nothing_of_the_trainer_but_scripts() -> None:
    from services.trainer.access import ACCESS

    opened = {method for method, access in ACCESS.items() if access is not Access.SERVICES}
    assert opened == methods((training_script_service_pb2,))
