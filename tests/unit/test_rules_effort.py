"""Rules stay linear in the text, are bounded where they cannot be, and work from threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.annotation.rules import limits
from services.annotation.rules.compiled import CompiledRules, compile_rules
from services.annotation.rules.domain import (
    DictionaryRule,
    RegexRule,
    Rule,
    RuleBody,
    RuleSet,
    TokenRule,
)
from services.common.errors import DeadlineExceededError, Reason, ResourceExhaustedError


def compiled(*bodies: RuleBody) -> CompiledRules:
    rules = tuple(Rule(id=f"r{n}", label=f"L{n}", body=body) for n, body in enumerate(bodies))
    return compile_rules(RuleSet(id="s", name="S", revision=1, rules=rules))


ALL_KINDS = (
    DictionaryRule(terms=("straße", "new york", *(f"word{n}" for n in range(20_000)))),
    RegexRule(pattern=r"(?i)\b(\p{L}+)-(\d+)\b", group="2"),
    TokenRule(patterns=(({"IS_TITLE": True, "OP": "+"}, {"IS_DIGIT": True, "OP": "+"}),)),
)


def test_a_megabyte_takes_seconds() -> None:
    rules = compiled(*ALL_KINDS)
    line = "In New York 12 Menschen, STRASSE word19999 Covid-19 😀 caf\u0301e.\r\n"
    count = 1_000_000 // len(line.encode())
    started = time.monotonic()
    spans = rules.annotate(line * count)
    assert time.monotonic() - started < 30
    by_label = {label: sum(one.label == label for one in spans) for label in ("L0", "L1", "L2")}
    assert by_label == {"L0": 3 * count, "L1": count, "L2": count}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (RegexRule(pattern="(a+)+b"), "a" * 1_000_000),
        (RegexRule(pattern="(a|aa)+$"), "a" * 1_000_000 + "!"),
        (RegexRule(pattern="(.*)(.*)(.*)(.*)x"), "a" * 1_000_000),
        (TokenRule(patterns=(({"OP": "*"}, {"OP": "*"}, {"LOWER": "no"}),)), "a " * 200_000),
        (TokenRule(patterns=(({"LOWER": "a", "OP": "+"}, {"LOWER": "b"}),)), "a " * 200_000),
        (TokenRule(patterns=(({"LOWER": "no"},),)), "(" * 100_000),
        (DictionaryRule(terms=("a" * 400 + "b",)), "a" * 1_000_000),
    ],
)
def test_what_explodes_elsewhere_is_linear_here(body: RuleBody, text: str) -> None:
    rules = compiled(body)
    started = time.monotonic()
    assert rules.annotate(text) == ()
    assert time.monotonic() - started < 15


def test_long_runs_are_cut_but_offsets_hold() -> None:
    rules = compiled(TokenRule(patterns=(({"LOWER": "end"},),)))
    text = "😀" * 1_000 + " end " + "x" * 600 + " " + ("word " * 10_000) + "  \n end"
    spans = rules.annotate(text)
    assert [text[one.start : one.end] for one in spans] == ["end", "end"]
    assert [one.start for one in spans] == [1_001, len(text) - 3]


def test_time_is_bounded() -> None:
    # Each of these matches reads on to the end of the text in search of a y.
    rules = compiled(RegexRule(pattern="x*y|x"))
    started = time.monotonic()
    with pytest.raises(DeadlineExceededError, match="'r0'") as caught:
        rules.annotate("x" * 1_000_000, limit_s=0.5)
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 20


def test_time_of_others_does_not_count() -> None:
    effort = limits.Effort(0.2)
    time.sleep(0.4)
    effort.check("it")
    end = time.thread_time() + 0.2
    while time.thread_time() <= end:
        pass
    with pytest.raises(DeadlineExceededError, match=r"0\.2 s of computing"):
        effort.check("it")


def test_the_number_of_matches_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MATCHES", 50)
    rules = compiled(DictionaryRule(terms=("a",), whole_words=False))
    assert len(rules.annotate("a" * 50)) == 50
    with pytest.raises(ResourceExhaustedError, match="'r0'") as caught:
        rules.annotate("a" * 51)
    assert caught.value.reason is Reason.REQUEST_TOO_LARGE


def test_threads_share_compiled_rules() -> None:
    rules = compiled(*ALL_KINDS)
    texts = [f"In New York {n} Leute word{n} covid-{n} Straße {'😀' * n}" for n in range(200)]
    alone = [rules.annotate(text) for text in texts]
    assert all(len(spans) == 5 for spans in alone)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(rules.annotate, texts * 3))
    assert together == alone * 3


def test_memory_of_words_does_not_grow_with_texts() -> None:
    rules = compiled(ALL_KINDS[2])
    assert rules._tokens is not None
    strings = rules._tokens._tokenizer._language.vocab.strings
    rules.annotate("Warm 1")
    before = len(strings)
    for n in range(50):
        rules.annotate(f"Unheard{n} of{n} {n}")
    assert len(strings) == before
