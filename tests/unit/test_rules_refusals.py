"""Which rule sets are refused, and that the refusal names the field and what is wrong."""

from __future__ import annotations

import json

import pytest

from services.annotation.rules.compiled import compile_rules
from services.annotation.rules.domain import (
    DictionaryRule,
    RegexRule,
    Rule,
    RuleBody,
    RuleSet,
    TokenRule,
)
from services.annotation.rules.token_specs import parse_token_patterns
from services.common.errors import InvalidArgumentError, Reason

GOOD = DictionaryRule(terms=("fine",))


def refusal(*rules: Rule) -> InvalidArgumentError:
    with pytest.raises(InvalidArgumentError) as caught:
        compile_rules(RuleSet(id="s", name="S", revision=1, rules=rules))
    assert caught.value.reason is Reason.FIELD_INVALID
    return caught.value


def rule(body: RuleBody, *, id: str = "r") -> Rule:
    return Rule(id=id, label="X", body=body)


@pytest.mark.parametrize(
    ("body", "field", "told"),
    [
        (RegexRule(pattern="("), "regex.pattern", "missing )"),
        (RegexRule(pattern="(?=a)"), "regex.pattern", "is no pattern of RE2"),
        (RegexRule(pattern=r"(a)\1"), "regex.pattern", "invalid escape"),
        (RegexRule(pattern="(a{1,1000}){1,1000}"), "regex.pattern", "RE2"),
        (RegexRule(pattern=r"(\p{L}{1,400}\p{N}){2}"), "regex.pattern", "MiB"),
        (RegexRule(pattern=""), "regex.pattern", "is empty"),
        (RegexRule(pattern="a*"), "regex.pattern", "empty string"),
        (RegexRule(pattern="a|"), "regex.pattern", "empty string"),
        (RegexRule(pattern=r"\b"), "regex.pattern", "empty string"),
        (RegexRule(pattern=r"\Bx*"), "regex.pattern", "empty string"),
        (RegexRule(pattern="x*$"), "regex.pattern", "empty string"),
        (RegexRule(pattern="(?m)^"), "regex.pattern", "empty string"),
        (RegexRule(pattern="a\ud800"), "regex.pattern", "surrogate"),
        (RegexRule(pattern="(?P<x>a)", group="y"), "regex.group", "named: x"),
        (RegexRule(pattern="(a)", group="2"), "regex.group", "which has 1"),
        (RegexRule(pattern="a", group="-1"), "regex.group", "no group"),
        (DictionaryRule(terms=()), "dictionary.terms", "no terms"),
        (DictionaryRule(terms=("a", " \t")), "dictionary.terms[1]", "blank"),
        (DictionaryRule(terms=("a", "b ")), "dictionary.terms[1]", "white space"),
        (DictionaryRule(terms=("x" * 501,)), "dictionary.terms[0]", "500"),
        (DictionaryRule(terms=("\udfff",)), "dictionary.terms[0]", "surrogate"),
        (TokenRule(patterns=()), "tokens.patterns", "no patterns"),
        (TokenRule(patterns=((),)), "tokens.patterns[0]", "no tokens"),
        (TokenRule(patterns=(({"POS": "NOUN"},),)), "tokens.patterns[0][0].POS", "no attribute"),
        (TokenRule(patterns=(({"lower": "a"},),)), "tokens.patterns[0][0].lower", "LOWER"),
        (
            TokenRule(patterns=(({"TEXT": {"REGEX": "(a+)+b"}},),)),
            "tokens.patterns[0][0].TEXT.REGEX",
            "no comparison",
        ),
        (
            TokenRule(patterns=(({"LOWER": {"FUZZY": "a"}},),)),
            "tokens.patterns[0][0].LOWER.FUZZY",
            "IN, NOT_IN",
        ),
        (TokenRule(patterns=(({"LOWER": {}},),)), "tokens.patterns[0][0].LOWER", "empty object"),
        (TokenRule(patterns=(({"LOWER": 5},),)), "tokens.patterns[0][0].LOWER", "a text"),
        (TokenRule(patterns=(({"LENGTH": "5"},),)), "tokens.patterns[0][0].LENGTH", "number"),
        (TokenRule(patterns=(({"LENGTH": True},),)), "tokens.patterns[0][0].LENGTH", "number"),
        (
            TokenRule(patterns=(({"LENGTH": {">=": "1"}},),)),
            "tokens.patterns[0][0].LENGTH.>=",
            "number",
        ),
        (
            TokenRule(patterns=(({"LOWER": {"IN": ()}},),)),
            "tokens.patterns[0][0].LOWER.IN",
            "empty",
        ),
        (
            TokenRule(patterns=(({"LOWER": {"IN": "abc"}},),)),
            "tokens.patterns[0][0].LOWER.IN",
            "list",
        ),
        (TokenRule(patterns=(({"IS_ALPHA": 1},),)), "tokens.patterns[0][0].IS_ALPHA", "true"),
        (TokenRule(patterns=(({}, {"OP": "x"}),)), "tokens.patterns[0][1].OP", "none of"),
        (TokenRule(patterns=(({"OP": "{}"},),)), "tokens.patterns[0][0].OP", "none of"),
        (TokenRule(patterns=(({"OP": "{3,2}"},),)), "tokens.patterns[0][0].OP", "down"),
        (TokenRule(patterns=(({"OP": "{0}"},),)), "tokens.patterns[0][0].OP", "never"),
        (TokenRule(patterns=(({"OP": "{2,101}"},),)), "tokens.patterns[0]", "100 times"),
        (TokenRule(patterns=(({"OP": "?"}, {"OP": "*"}),)), "tokens.patterns[0]", "no token"),
        (TokenRule(patterns=(({},) * 65,)), "tokens.patterns[0]", "64"),
        (
            TokenRule(patterns=(tuple({"LOWER": str(n)} for n in range(17)),)),
            "tokens.patterns[0]",
            "16",
        ),
    ],
)
def test_a_bad_body_is_refused_with_its_field(body: RuleBody, field: str, told: str) -> None:
    error = refusal(*(rule(GOOD, id=str(n)) for n in range(3)), rule(body, id="bad"))
    assert len(error.violations) == 1
    violation = error.violations[0]
    assert violation.field == f"rules[3].{field}"
    assert told in violation.description
    assert error.message.startswith(violation.field)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (Rule(id="", label="X", body=GOOD), "rules[1].id"),
        (Rule(id="first", label="X", body=GOOD), "rules[1].id"),
        (Rule(id="b", label=" ", body=GOOD), "rules[1].label"),
        (Rule(id="b", label="X", body=GOOD, score=1.01), "rules[1].score"),
        (Rule(id="b", label="X", body=GOOD, score=float("nan")), "rules[1].score"),
        (Rule(id="b", label="X", body=GOOD, priority=10**7), "rules[1].priority"),
    ],
)
def test_bad_parts_beside_the_body(bad: Rule, field: str) -> None:
    error = refusal(rule(GOOD, id="first"), bad)
    assert [one.field for one in error.violations] == [field]


def test_all_problems_are_told_at_once() -> None:
    error = refusal(
        rule(RegexRule(pattern="("), id="a"),
        rule(DictionaryRule(terms=()), id="b"),
        rule(TokenRule(patterns=(({"POS": "X"},),)), id="c"),
    )
    assert [one.field for one in error.violations] == [
        "rules[0].regex.pattern",
        "rules[1].dictionary.terms",
        "rules[2].tokens.patterns[0][0].POS",
    ]
    assert "2 more" in error.message


def test_bounds_of_the_whole_set() -> None:
    def told(*rules: Rule) -> str:
        return refusal(*rules).message

    assert "1,001 rules" in told(*(rule(GOOD, id=str(n)) for n in range(1_001)))
    many = tuple(f"t{n}" for n in range(50_001))
    assert "100,002 terms" in told(
        rule(DictionaryRule(terms=many), id="a"), rule(DictionaryRule(terms=many), id="b")
    )
    long = tuple(f"{n:0100d}" for n in range(45_000))
    assert "4,500,000 bytes of terms" in told(rule(DictionaryRule(terms=long)))
    regex = RegexRule(pattern="ä" * 300_000)
    tokens = TokenRule(patterns=(({"LOWER": "x" * 500_000},),))
    assert "bytes of patterns" in told(rule(regex, id="a"), rule(tokens, id="b"))


def test_a_set_at_its_bounds_is_accepted() -> None:
    terms = tuple(f"term{n:06d}" for n in range(100_000))
    many = [rule(RegexRule(pattern=f"x{n}"), id=f"x{n}") for n in range(999)]
    compiled = compile_rules(
        RuleSet(
            id="s",
            name="S",
            revision=1,
            rules=(rule(DictionaryRule(terms=terms)), *many),
        )
    )
    spans = compiled.annotate("term099999 x998 term100000")
    assert [(one.start, one.end) for one in spans] == [(0, 10), (11, 15)]


def test_token_patterns_are_read_from_json() -> None:
    text = json.dumps([[{"LOWER": {"IN": ["a", "b"]}}, {"IS_DIGIT": True, "OP": "+"}]])
    patterns = parse_token_patterns(text, field="patterns")
    assert patterns == (({"LOWER": {"IN": ("a", "b")}}, {"IS_DIGIT": True, "OP": "+"}),)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[", "f"),
        ("{}", "f"),
        ("[{}]", "f"),
        ("[[1]]", "f[0][0]"),
        ('[[{}, {"LENGTH": 1.5}]]', "f[0][1].LENGTH"),
        ('[[{"LOWER": null}]]', "f[0][0].LOWER"),
        ('[[{"LOWER": [[["a"]]]}]]', "f[0][0].LOWER"),
        ("[" * 5_000, "f"),
    ],
)
def test_json_of_another_form_is_refused(text: str, field: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_token_patterns(text, field=field.partition("[")[0])
    assert caught.value.violations[0].field == field
