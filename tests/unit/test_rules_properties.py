"""Rules against slower truths: spaCy's matcher, a search by hand, and their own documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.annotation.rules.compiled import compile_rules
from services.annotation.rules.documents import rule_set_document, to_rule_set
from services.annotation.rules.domain import (
    DictionaryRule,
    RegexRule,
    Rule,
    RuleSet,
    TokenRule,
)

SPECS: list[dict[str, Any]] = [
    {"LOWER": "a"},
    {"LOWER": {"IN": ("a", "b")}},
    {"LOWER": {"NOT_IN": ("a",)}},
    {"IS_DIGIT": True},
    {"IS_ALPHA": False},
    {"LENGTH": {">=": 2}},
    {},
]
OPS = ["1", "?", "*", "+", "!", "{2}", "{1,2}", "{2,}", "{,2}"]


def one(rule: Rule) -> RuleSet:
    return RuleSet(id="s", name="S", revision=1, rules=(rule,))


def leftmost_longest(matches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    chosen: list[tuple[int, int]] = []
    for start, end in sorted(matches, key=lambda match: (match[0], -match[1])):
        if not chosen or start >= chosen[-1][1]:
            chosen.append((start, end))
    return chosen


@pytest.fixture(scope="module")
def blank() -> Any:
    import spacy

    return spacy.blank("xx")


@settings(max_examples=150, deadline=None)
@given(
    parts=st.lists(st.tuples(st.sampled_from(SPECS), st.sampled_from(OPS)), min_size=1, max_size=4),
    words=st.lists(st.sampled_from(["a", "A", "b", "cc", "1", "22", "😀"]), max_size=10),
)
def test_token_patterns_find_what_spacy_finds(
    parts: list[tuple[dict[str, Any], str]], words: list[str], blank: Any
) -> None:
    from spacy.matcher import Matcher

    pattern = tuple({**spec, "OP": op} if op != "1" else spec for spec, op in parts)
    assume(not all(op in ("?", "*", "{,2}") for _, op in parts))
    text = " ".join(words)
    spans = compile_rules(
        one(Rule(id="r", label="X", body=TokenRule(patterns=(pattern,))))
    ).annotate(text)

    matcher = Matcher(blank.vocab)
    matcher.add("x", [json.loads(json.dumps(pattern))])
    doc = blank(text)
    expected = leftmost_longest([(start, end) for _, start, end in matcher(doc)])
    assert [(span.start, span.end) for span in spans] == [
        (doc[start].idx, doc[end - 1].idx + len(doc[end - 1])) for start, end in expected
    ]


LETTERS = "aAsSßİiıſﬁfΣσςe\u0301 😀"


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(alphabet=LETTERS, max_size=30),
    term=st.text(alphabet=LETTERS, min_size=1, max_size=4),
)
def test_every_folded_equal_piece_is_found(text: str, term: str) -> None:
    assume(term == term.strip())
    rule = Rule(id="r", label="X", body=DictionaryRule(terms=(term,), whole_words=False))
    spans = compile_rules(one(rule)).annotate(text)
    for span in spans:
        assert text[span.start : span.end].casefold() == term.casefold()
    equal = {
        (start, end)
        for start in range(len(text))
        for end in range(start + 1, len(text) + 1)
        if text[start:end].casefold() == term.casefold()
    }
    covered = {point for span in spans for point in range(span.start, span.end)}
    import regex

    whole = {match.start() for match in regex.finditer(r"\X", text)} | {len(text)}
    for start, end in equal:
        assert not {start, end} <= whole or covered & set(range(start, end))


def test_documents_keep_every_rule() -> None:
    rule_set = RuleSet(
        id="set",
        name="Größen",
        revision=7,
        rules=(
            Rule(
                id="a",
                label="X",
                priority=-3,
                score=0.5,
                body=DictionaryRule(terms=("ä", "b"), case_sensitive=True, whole_words=False),
            ),
            Rule(
                id="b",
                label="Y",
                body=RegexRule(pattern="(?P<g>a)", group="g", case_sensitive=False),
            ),
            Rule(
                id="c",
                label="Z",
                body=TokenRule(
                    patterns=(
                        ({"LOWER": {"IN": ("a", "b")}, "OP": "+"}, {"IS_DIGIT": True}),
                        ({"LENGTH": {">=": 2, "<": 5}},),
                    )
                ),
            ),
        ),
    )
    compile_rules(rule_set)
    document = rule_set_document(rule_set)
    assert to_rule_set(json.loads(json.dumps(document))) == rule_set
    stored = json.loads(json.dumps(document).replace("1.0", "1"))
    assert to_rule_set(stored) == rule_set
    assert isinstance(to_rule_set(stored).rules[1].score, float)


def test_a_kind_of_another_version_is_not_read_as_something_else() -> None:
    document = rule_set_document(one(Rule(id="r", label="X", body=RegexRule(pattern="a"))))
    document["rules"][0]["kind"] = "model"
    with pytest.raises(ValueError, match="model"):
        to_rule_set(document)
