"""Policies that somebody damaged: refused, or able to decide every call; a rule that forbids never fades away."""

import json
from typing import Any

import pytest
from hypothesis import strategies as st

from chidori_actors.errors import UsageError
from chidori_actors.policy import Policy
from chidori_actors.policy_rules import parse_policy

from .mangling import corpus, examples, fuzz, mangled, refusal_of

CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "http",
        {"url": "https://api.example.com/v1/x", "method": "POST", "headers": {"a": "b"}, "body": [1, {"x": None}]},
    ),
    ("http", {"url": "not a url"}),
    ("tool:search", {"name": "search", "kwargs": {"q": "x", "n": 3}}),
    ("exec:js", {"source": "1", "input": None}),
    ("env:HOME", {"name": "HOME"}),
    ("env:CHIDORI_API_KEY", {"name": "CHIDORI_API_KEY", "reveal": True}),
    ("call_agent", {"path": "./child.ts", "input": {}}),
    ("memory", {"action": "set", "key": "k", "value": json.loads("[" * 200 + "]" * 200)}),
)
TARGETS = ("http", "exec:js", "exec:python", "exec:wasm", "memory", "call_agent", "tool:search")
DOCUMENTS: tuple[Any, ...] = (
    {
        "rules": [
            {"target": "http", "decision": "never_allow", "match_args": {"url_prefix": "https://api.example.com/v1"}},
            {"target": "http", "decision": "ask_before", "match_args": {"method": "POST", "body": [1, {"x": None}]}},
            {"target": "tool:*", "decision": "ask_before", "reason": "a person looks", "in_doubt": "ask"},
            {"target": "env:HOME", "decision": "always_allow", "hosts": ["example.com"]},
            {"target": "memory", "decision": "never_allow", "match_args": {"value": [[]]}},
        ],
        "default": "never_allow",
    },
    {"rules": [{"target": "exec:js", "decision": "never_allow"}]},
)


@examples
def test_a_policy_is_refused_or_decides_every_call(examples: int) -> None:
    # As text comes out of the environment.
    fuzz(examples, mangled(DOCUMENTS).map(lambda data: data.decode("utf-8", "surrogateescape")), check_policy)


def check_policy(text: str) -> None:
    refusal = refusal_of(UsageError, lambda: parse_policy(text, "policy.json"))
    if refusal is not None:
        assert str(refusal).startswith("policy.json: ")
        return
    policy = Policy(parse_policy(text, "policy.json"))
    for target, args in CALLS:
        assert policy.decide(target, args).decision in ("allow", "ask", "deny")
        policy.hosts_for(target)
    policy.describe()


@examples
def test_a_rule_that_forbids_is_refused_or_forbids(examples: int) -> None:
    """Whatever becomes of one word of it: a policy whose `never_allow` matches nothing is worse than none."""
    spoilt = st.sampled_from(TARGETS).flatmap(lambda target: st.tuples(_misspelt(target), _misspelt("never_allow")))
    fuzz(examples, spoilt, check_forbidden)


def check_forbidden(given: tuple[str, str]) -> None:
    written, decision = given
    try:
        document = parse_policy(json.dumps({"rules": [{"target": written, "decision": decision}]}), "policy.json")
    except UsageError:
        return
    # What is left is a target that exists, the intended one or a tool's, whose names are the author's.
    assert decision == "never_allow"
    assert any(document.rules[0].matches(known, {}) for known in TARGETS) or written.startswith("tool:")
    assert written == written.strip()


def _misspelt(word: str) -> st.SearchStrategy[str]:
    junk = st.sampled_from(["", " ", "\0", "*", "x", "\u200b", ":", word[:1].upper(), "\u0435"])
    return st.tuples(st.integers(0, len(word)), st.integers(0, 1), junk).map(
        lambda edit: word[: edit[0]] + edit[2] + word[edit[0] + edit[1] :]
    ) | st.just(word)


def test_policies_that_once_fell_open() -> None:
    for text in corpus("policies"):
        with pytest.raises(UsageError):
            parse_policy(text.decode(), "policy.json")
