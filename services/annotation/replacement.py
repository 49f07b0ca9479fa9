"""When a prediction takes the place of the one that its task has of the same generation.

A generation never changes, so as a rule a prediction that comes again is the same. Its name counts
deployment revisions though: a registry whose database was restored to an older state gives the same
name to other adapters. Then, and when a later job asked more adapters, what is new counts.
"""

from __future__ import annotations

from typing import TypeAlias

from services.common.store.port import Document

_Named: TypeAlias = dict[tuple[str, str], str]

# What a body leaves out when it has nothing to say, and what says so over what another said.
_NOTHING: Document = {
    "choice_adapters": [],
    "choice_model_versions": [],
    "assertion_adapter": "",
    "assertion_model_version": "",
    "signals": None,
}
_KEPT = ("version", "updated", "outbox", "outbox_pending")


def replaces(new: Document, known: Document) -> bool:
    """Whether a new prediction of a task and generation takes the place of a known one.

    It does when another adapter answered for the same thing, or when it names all adapters of the
    known one and more.
    """
    named, before = _named(new), _named(known)
    if any(before.get(key, digest) != digest for key, digest in named.items()):
        return True
    return named.items() > before.items()


def replaced_fields(new: Document, place: int) -> Document:
    """Return what to set on the known document; `place` puts it last in the order of creation."""
    fields = {key: value for key, value in new.items() if key not in _KEPT}
    return {**_NOTHING, **fields, "ord": place}


def _named(body: Document) -> _Named:
    """Return the digests of the adapters that a prediction names, by kind and name."""
    named = {("label", label): digest for label, digest in body["adapters"]}
    named |= {("choice", control): digest for control, digest in body.get("choice_adapters", ())}
    if body.get("assertion_adapter"):
        named["assertion", ""] = body["assertion_adapter"]
    return named
