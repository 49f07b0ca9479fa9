"""Documents of earlier releases, which have fewer fields."""

from __future__ import annotations

from services.common.store.port import Document, Stored
from services.registry import documents, pointer_documents
from services.registry.domain import Lineage, VersionState

ADAPTERS = [["A", "sha256:a"]]


def stored(body: Document) -> Stored:
    return Stored(id="x", revision=1, body=body)


def test_a_revision_of_the_first_release_has_no_pins() -> None:
    model = {"model_type": "ner", "version": "ner_p_v1", "trunk_digest": "t", "adapters": ADAPTERS}
    found = pointer_documents.deployment_of(
        stored(
            {
                "project": "p",
                "revision": 1,
                "models": [model],
                "action": "deploy",
                "restored_revision": 0,
                "create_time": 5,
            }
        )
    )
    assert (found.pins, found.actor, found.moved_version) == ((), "", "")
    assert found.versions == {"ner_p_v1"}
    assert pointer_documents.deployment_of(
        stored(pointer_documents.deployment_document(found))
    ) == found  # fmt: skip


def test_a_version_of_the_first_release_has_its_artifacts() -> None:
    lineage = {
        "snapshot": "s",
        "snapshot_content_hash": "h",
        "training_job": "j",
        "code_version": "1",
        "parameters": "{}",
    }
    found = documents.version_of(
        stored(
            {
                "project": "p",
                "model_type": "ner",
                "number": 1,
                "adapters": ADAPTERS,
                "trunk_digest": "t",
                "evaluation": [],
                "lineage": lineage,
                "state": "ready",
                "failure_message": "",
                "parity": None,
                "create_time": 5,
            }
        )
    )
    assert (found.state, found.purge_time, found.baseline) == (VersionState.READY, None, None)
    assert found.lineage == Lineage(**lineage)  # type: ignore[arg-type]


def test_an_adapter_of_an_earlier_release_was_used_when_it_was_made() -> None:
    found = documents.adapter_of(
        stored(
            {
                "digest": "sha256:a",
                "manifest": "{}",
                "label": "A",
                "model_type": "ner",
                "trunk_digest": "t",
                "files": [],
                "create_time": 5,
            }
        )
    )
    assert found.actor == ""
