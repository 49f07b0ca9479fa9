"""What rules find: offsets, case, word boundaries, groups, overlaps."""

from __future__ import annotations

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
from services.common.errors import InvalidArgumentError


def rules(*bodies: RuleBody | Rule) -> RuleSet:
    """Return a set of these rules, label X where only the body is given."""
    made = tuple(
        body if isinstance(body, Rule) else Rule(id=f"r{index}", label="X", body=body)
        for index, body in enumerate(bodies)
    )
    return RuleSet(id="set", name="Set", revision=3, rules=made)


def found(text: str, *bodies: RuleBody | Rule) -> list[str]:
    """Return the pieces of the text that the rules label, in order."""
    return [text[one.start : one.end] for one in compile_rules(rules(*bodies)).annotate(text)]


def terms(*words: str, case: bool = False, whole: bool = True) -> DictionaryRule:
    return DictionaryRule(terms=words, case_sensitive=case, whole_words=whole)


EMOJI = "👩‍👩‍👧"
ACUTE = "e\u0301"


def test_offsets_count_code_points_after_emoji_and_marks() -> None:
    text = f"😀 {EMOJI} caf{ACUTE}\r\n東京 aspirin 5mg"
    compiled = compile_rules(
        rules(
            Rule(id="d", label="DRUG", body=terms("Aspirin"), score=0.75),
            Rule(id="r", label="DOSE", body=RegexRule(pattern=r"(?P<n>\p{N})mg", group="n")),
            Rule(id="t", label="TOKEN", body=TokenRule(patterns=(({"LOWER": "aspirin"},),))),
        )
    )
    spans = compiled.annotate(text)
    start = text.index("aspirin")
    assert [(s.start, s.end, s.label, s.score) for s in spans] == [
        (start, start + 7, "DRUG", 0.75),
        (start, start + 7, "TOKEN", 1.0),
        (text.index("5mg"), text.index("5mg") + 1, "DOSE", 1.0),
    ]


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        ("straße", "Die STRASSE, Straße.", ["STRASSE", "Straße"]),
        ("STRASSE", "Die straße", ["straße"]),
        ("İzmir", "aus İZMİR und i\u0307zmir", ["i\u0307zmir"]),
        ("İzmir", "ßß İzmir ß", ["İzmir"]),
        ("ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ", ["ὈΔΥΣΣΕΎΣ"]),
        ("ﬁn", "FIN fin ﬁn", ["FIN", "fin", "ﬁn"]),
    ],
)
def test_dictionary_folds_case_and_keeps_offsets(term: str, text: str, expected: list[str]) -> None:
    assert found(text, terms(term)) == expected


def test_half_of_an_expanded_character_is_no_match() -> None:
    assert found("ß ſ s", terms("s", whole=False)) == ["ſ", "s"]
    assert found("Maß", terms("mas", whole=False)) == []
    assert found("Maß", terms("mass", whole=False)) == ["Maß"]


def test_case_sensitive_terms_keep_case() -> None:
    assert found("US us Us", terms("US", case=True)) == ["US"]
    assert found("US us Us", terms("US")) == ["US", "us", "Us"]


@pytest.mark.parametrize(
    ("term", "text", "expected"),
    [
        ("art", "art party art's (art)", ["art", "art"]),
        ("c++", "C++ und C+++", ["C++", "C++"]),
        ("ber", "über ber ber\u0301", ["ber"]),
        ("3.5", "3.5 13.5 3.55", ["3.5"]),
        ("東京", "東京都", ["東京"]),
        ("new york", "New York, new  york", ["New York"]),
    ],
)
def test_whole_words_follow_unicode(term: str, text: str, expected: list[str]) -> None:
    assert found(text, terms(term)) == expected


def test_parts_of_words_are_found_when_asked_for() -> None:
    assert found("party", terms("art", whole=False)) == ["art"]
    assert found("party", terms("art")) == []


@pytest.mark.parametrize(
    "body",
    [
        terms("cafe", whole=False),
        RegexRule(pattern="cafe"),
        RegexRule(pattern="c(?:a)fe"),
    ],
)
def test_no_match_cuts_a_letter_from_its_accent(body: RuleBody) -> None:
    assert found("cafe\u0301 cafe", body) == ["cafe"]
    assert compile_rules(rules(body)).annotate("cafe\u0301 cafe")[0].start == 6


def test_no_match_cuts_an_emoji() -> None:
    assert found(f"👩 {EMOJI}", RegexRule(pattern="👩")) == ["👩"]
    assert found(f"👩 {EMOJI}", terms(EMOJI)) == [EMOJI]


def test_a_shorter_term_is_found_where_the_longer_fails_at_a_boundary() -> None:
    assert found("new york city", terms("new york", "new york c")) == ["new york"]


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        (RegexRule(pattern=r"(\d+) (mg)", group="2"), "5 mg 7 mg", ["mg", "mg"]),
        (RegexRule(pattern=r"(\d+) (mg)", group="0"), "5 mg", ["5 mg"]),
        (RegexRule(pattern=r"(?P<n>\d+)|x", group="n"), "x 5", ["5"]),
        (RegexRule(pattern=r"x(\d*)", group="1"), "x x7", ["7"]),
        (RegexRule(pattern=r"ab", case_sensitive=False), "AB ab", ["AB", "ab"]),
        (RegexRule(pattern=r"ab"), "AB ab", ["ab"]),
        (RegexRule(pattern=r"\p{Lu}\p{L}+"), "Ähre öl Öl", ["Ähre", "Öl"]),
        (RegexRule(pattern=r"(?m)^\w+"), "a b\nc", ["a", "c"]),
    ],
)
def test_regular_expressions(rule: RegexRule, text: str, expected: list[str]) -> None:
    assert found(text, rule) == expected


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (({"LOWER": "dr"}, {"TEXT": ".", "OP": "?"}, {"IS_TITLE": True, "OP": "+"}),
         "Dr. Ada Lovelace met dr Who", ["Dr. Ada Lovelace", "dr Who"]),
        (({"IS_DIGIT": True}, {"LOWER": {"IN": ("mg", "ml")}}), "5 mg 6 km 7 ML", ["5 mg", "7 ML"]),
        (({"IS_DIGIT": True}, {"LOWER": {"NOT_IN": ("mg", "ml")}}), "5 mg 6 km", ["6 km"]),
        (({"LENGTH": {">=": 5}},), "tiny larger", ["larger"]),
        (({"LIKE_EMAIL": True},), "mail a@b.org now", ["a@b.org"]),
        (({"LIKE_URL": True},), "see http://x.org now", ["http://x.org"]),
        (({"SHAPE": "Xxdd"},), "Ab12 Ab1", ["Ab12"]),
        (({"LOWER": "a"}, {"LOWER": "b", "OP": "{2,3}"}), "a b a b b b b", ["a b b b"]),
        (({"LOWER": "not"}, {"LOWER": "bad", "OP": "!"}), "not bad not good", ["not good"]),
        (({"LOWER": "x"}, {}, {"LOWER": "y"}), "x 😀 y", ["x 😀 y"]),
    ],
)  # fmt: skip
def test_token_patterns(pattern: tuple, text: str, expected: list[str]) -> None:
    assert found(text, TokenRule(patterns=(pattern,))) == expected


def test_the_longest_match_of_a_label_stays() -> None:
    assert found(
        "new york times", terms("new york"), terms("york times company", "york times")
    ) == ["york times"]


def test_what_the_longest_match_leaves_is_filled() -> None:
    rule = RegexRule(pattern="bcdef")
    assert found("abcdefg", terms("ab", "abc", "g", "fg", whole=False), rule) == ["bcdef", "g"]


def test_priority_then_order_decide_between_matches_of_one_length() -> None:
    low = Rule(id="low", label="X", body=terms("ab", whole=False), priority=1, score=0.1)
    high = Rule(id="high", label="X", body=RegexRule(pattern="bc"), priority=2, score=0.2)
    later = Rule(id="later", label="X", body=RegexRule(pattern="bc"), priority=2, score=0.3)

    def scores(*order: Rule) -> list[float]:
        return [span.score for span in compile_rules(rules(*order)).annotate("abc")]

    assert scores(low, high, later) == [0.2]
    assert scores(low, later, high) == [0.3]
    assert scores(low) == [0.1]


def test_labels_do_not_compete() -> None:
    spans = compile_rules(
        rules(
            Rule(id="a", label="CITY", body=terms("york")),
            Rule(id="b", label="PAPER", body=terms("york times")),
        )
    ).annotate("york times")
    assert [(one.label, one.start, one.end) for one in spans] == [
        ("CITY", 0, 4),
        ("PAPER", 0, 10),
    ]


def test_one_term_may_belong_to_several_rules() -> None:
    spans = compile_rules(
        rules(
            Rule(id="a", label="A", body=terms("Rose")),
            Rule(id="b", label="B", body=terms("rose", whole=False)),
            Rule(id="c", label="C", body=terms("Rose", case=True)),
        )
    ).annotate("rose primrose")
    assert [(one.label, one.start) for one in spans] == [("A", 0), ("B", 0), ("B", 9)]


def test_nothing_comes_of_no_rules_and_no_text() -> None:
    assert compile_rules(rules()).annotate("text") == ()
    body = TokenRule(patterns=(({},),))
    assert compile_rules(rules(terms("a"), RegexRule(pattern="a"), body)).annotate("") == ()


def test_a_lone_surrogate_in_the_text_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="text: holds a lone surrogate"):
        compile_rules(rules(terms("a"))).annotate("a\ud800")
