"""Rule sets as documents of the store, and back.

Only rule sets that `compile_rules` accepted are stored: their token patterns then hold no key that
a store could not take.
"""

from __future__ import annotations

from typing import Any

from services.annotation.rules.domain import (
    DictionaryRule,
    RegexRule,
    Rule,
    RuleBody,
    RuleSet,
    TokenRule,
)
from services.annotation.rules.token_specs import plain, to_patterns
from services.common.store.port import Document


def rule_set_document(rule_set: RuleSet) -> Document:
    """Return the part of a document that holds a rule set; its project is the caller's to add."""
    return {
        "rule_set": rule_set.id,
        "name": rule_set.name,
        "revision": rule_set.revision,
        "rules": [_rule_document(rule) for rule in rule_set.rules],
    }


def to_rule_set(body: Document) -> RuleSet:
    """Read a rule set."""
    return RuleSet(
        id=body["rule_set"],
        name=body["name"],
        revision=body["revision"],
        rules=tuple(_to_rule(one) for one in body["rules"]),
    )


def _rule_document(rule: Rule) -> Document:
    kind, body = _body_document(rule.body)
    return {
        "id": rule.id,
        "label": rule.label,
        "priority": rule.priority,
        "score": rule.score,
        "kind": kind,
        "body": body,
    }


def _body_document(body: RuleBody) -> tuple[str, Document]:
    match body:
        case DictionaryRule():
            return "dictionary", {
                "terms": list(body.terms),
                "case_sensitive": body.case_sensitive,
                "whole_words": body.whole_words,
            }
        case RegexRule():
            return "regex", {
                "pattern": body.pattern,
                "group": body.group,
                "case_sensitive": body.case_sensitive,
            }
        case TokenRule():
            return "token", {"patterns": plain(body.patterns)}


def _to_rule(stored: Document) -> Rule:
    return Rule(
        id=stored["id"],
        label=stored["label"],
        priority=stored["priority"],
        # A store may give back 1.0 as 1.
        score=float(stored["score"]),
        body=_to_body(stored["kind"], stored["body"]),
    )


def _to_body(kind: str, body: dict[str, Any]) -> RuleBody:
    match kind:
        case "dictionary":
            return DictionaryRule(
                terms=tuple(body["terms"]),
                case_sensitive=body["case_sensitive"],
                whole_words=body["whole_words"],
            )
        case "regex":
            return RegexRule(
                pattern=body["pattern"],
                group=body["group"],
                case_sensitive=body["case_sensitive"],
            )
        case "token":
            return TokenRule(patterns=to_patterns(body["patterns"]))
    raise ValueError(f"A rule of kind {kind!r} is stored, which this version does not know.")
