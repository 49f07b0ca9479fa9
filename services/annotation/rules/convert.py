"""Messages of rules."""

from __future__ import annotations

import json
from collections.abc import Iterable

from google.protobuf.json_format import MessageToJson, Parse
from google.protobuf.struct_pb2 import ListValue

from services.annotation.domain import rule_set_name
from services.annotation.etags import etag_of
from services.annotation.rules.applying import Progress
from services.annotation.rules.domain import (
    DictionaryRule,
    RegexRule,
    Rule,
    RuleBody,
    TokenRule,
)
from services.annotation.rules.handler import StoredRules
from services.annotation.rules.token_specs import parse_token_patterns, patterns_json
from services.common.errors import invalid_field
from services.common.names import parse_name
from services.common.times import to_timestamp
from spanloop.annotation.v1 import rule_service_pb2 as pb


def rule_set_of(name: str, field: str = "name") -> tuple[str, str]:
    """Read the name of a rule set: project and rule set."""
    parts = parse_name("projects/{project}/ruleSets/{rule_set}", name, field)
    return parts["project"], parts["rule_set"]


def rules_of(messages: Iterable[pb.Rule], field: str) -> list[Rule]:
    """Read rules; what they find is checked when they are compiled."""
    return [
        Rule(
            id=one.id or str(number),
            label=one.label,
            body=_body(one, f"{field}[{number - 1}]"),
            priority=one.priority,
            score=one.score if one.HasField("score") else 1.0,
        )
        for number, one in enumerate(messages, start=1)
    ]


def rule_set_message(found: StoredRules) -> pb.RuleSet:
    """Return a rule set."""
    name = rule_set_name(found.project, found.rules.id)
    return pb.RuleSet(
        name=name,
        display_name=found.rules.name,
        rules=[_rule_message(one) for one in found.rules.rules],
        revision=found.rules.revision,
        etag=etag_of(name, found.version),
        create_time=to_timestamp(found.created),
        update_time=to_timestamp(found.updated),
    )


def progress_message(progress: Progress) -> pb.ApplyRuleSetResponse:
    """Return how far applying is."""
    return pb.ApplyRuleSetResponse(
        generation=progress.generation,
        tasks=progress.tasks,
        written=progress.written,
        unchanged=progress.unchanged,
        spans=progress.spans,
    )


def _body(message: pb.Rule, field: str) -> RuleBody:
    match message.WhichOneof("matcher"):
        case "dictionary":
            return DictionaryRule(
                terms=tuple(message.dictionary.terms),
                case_sensitive=message.dictionary.case_sensitive,
                whole_words=not message.dictionary.inside_words,
            )
        case "regex":
            group = message.regex.group
            return RegexRule(
                pattern=message.regex.pattern,
                group=str(group) if group else "",
                case_sensitive=not message.regex.ignore_case,
            )
        case "tokens":
            path = f"{field}.tokens.patterns"
            try:
                patterns = [json.loads(MessageToJson(one)) for one in message.tokens.patterns]
            except ValueError:
                raise invalid_field(path, "hold a number that is none (NaN or infinite).") from None
            # Numbers of a Value are floats.
            return TokenRule(
                patterns=parse_token_patterns(json.dumps(_whole(patterns)), field=path)
            )
        case _:
            raise invalid_field(field, "needs one of `dictionary`, `regex` and `tokens`.")


def _whole(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    return value


def _rule_message(rule: Rule) -> pb.Rule:
    message = pb.Rule(id=rule.id, label=rule.label, priority=rule.priority, score=rule.score)
    match rule.body:
        case DictionaryRule() as body:
            message.dictionary.CopyFrom(
                pb.DictionaryRule(
                    terms=body.terms,
                    case_sensitive=body.case_sensitive,
                    inside_words=not body.whole_words,
                )
            )
        case RegexRule() as body:
            message.regex.CopyFrom(
                pb.RegexRule(
                    pattern=body.pattern,
                    group=int(body.group or 0),
                    ignore_case=not body.case_sensitive,
                )
            )
        case TokenRule() as body:
            for pattern in json.loads(patterns_json(body.patterns)):
                message.tokens.patterns.append(Parse(json.dumps(pattern), ListValue()))
    return message
