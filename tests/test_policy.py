"""Policies: their grammar, what rules match, what needs a rule, and the profiles."""

import json
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.errors import UsageError
from chidori_actors.policy import Decision, Policy, Profile, approval_text, denied_text
from chidori_actors.settings import load_settings


def policy(*rules: dict[str, Any], profile: Profile | None = None, **rest: Any) -> Policy:
    return load(json.dumps({"rules": rules, **rest}), profile)


def load(inline: str, profile: Profile | None = None) -> Policy:
    return Policy.load(load_settings({"CHIDORI_POLICY": inline}), profile=profile)


def rule(target: str, decision: str = "never_allow", **rest: Any) -> dict[str, Any]:
    return {"target": target, "decision": decision, **rest}


def decided(given: Policy, target: str, **args: Any) -> str:
    return given.decide(target, args).decision


@pytest.mark.parametrize("profile", [None, "trusted"])
def test_without_rules_everything_is_allowed(profile: Profile | None) -> None:
    free = Policy.load(load_settings({}), profile=profile)
    for target in ("http", "tool:x", "exec:js", "env:HOME", "call_agent", "memory"):
        assert free.decide(target, {}) == Decision("allow")
    assert "no rules" in free.describe()


def test_the_first_matching_rule_wins_and_the_default_is_last() -> None:
    rules = policy(rule("tool:a", "ask_before"), rule("tool:*", "always_allow"), default="never_allow")
    assert [decided(rules, target) for target in ("tool:a", "tool:b", "http")] == ["ask", "allow", "deny"]
    assert rules.decide("http", {}).reason == "CHIDORI_POLICY: the default"
    assert rules.describe() == "CHIDORI_POLICY: 2 rules, default never_allow"


def test_reasons_and_what_to_do_in_doubt_come_from_the_rule() -> None:
    rules = policy(
        rule("http", reason="no network", in_doubt="ask"),
        rule("memory", "ask_before"),
        rule("tool:x", "always_allow"),
    )
    assert rules.decide("http", {}) == Decision("deny", "no network", "ask")
    assert rules.decide("memory", {}) == Decision("ask", "CHIDORI_POLICY: rules[1]")
    assert rules.decide("tool:x", {}) == Decision("allow")


@pytest.mark.parametrize(
    ("pattern", "target", "matches"),
    [
        ("*", "memory", True),
        ("tool:*", "tool:x", True),
        ("tool:git_*", "tool:git_push", True),
        ("tool:git_*", "tool:gist", False),
        ("tool:x", "tool:xy", False),
        ("exec:js", "exec:python", False),
        ("env:*", "env:HOME", True),
        ("http", "call_agent", False),
    ],
)
def test_targets(pattern: str, target: str, matches: bool) -> None:
    assert decided(policy(rule(pattern)), target) == ("deny" if matches else "allow")


@pytest.mark.parametrize(
    ("wanted", "given", "matches"),
    [
        ({"method": "POST"}, {"method": "POST", "url": "u"}, True),
        ({"method": "POST"}, {"url": "u"}, False),
        ({"body": {"a": {"b": 1}}}, {"body": {"a": {"b": 1, "c": 2}}}, True),
        ({"body": {"a": {"b": 1}}}, {"body": {"a": {"b": 2}}}, False),
        ({"name": "prod"}, {"name": "my-production-db"}, True),
        ({"name": "prod"}, {"name": 7}, False),
        ({"n": 1}, {"n": 1.0}, True),
        ({"n": 1}, {"n": True}, False),
        ({"n": True}, {"n": 1}, False),
        ({"n": False}, {"n": False}, True),
        ({"n": None}, {"n": None}, True),
        ({"n": None}, {"n": 0}, False),
        ({"n": None}, {}, False),
        ({"l": ["a", 1]}, {"l": ["xay", 1]}, True),
        ({"l": ["a"]}, {"l": ["a", "b"]}, False),
        ({"l": {}}, {"l": []}, False),
    ],
)
def test_match_args(wanted: dict[str, Any], given: dict[str, Any], matches: bool) -> None:
    rules = policy(rule("tool:x", match_args={"kwargs": wanted}))
    assert decided(rules, "tool:x", kwargs=given) == ("deny" if matches else "allow")


@pytest.mark.parametrize(
    ("prefix", "url", "matches"),
    [
        ("https://api.example.com", "https://api.example.com/x", True),
        ("https://api.example.com", "https://API.example.com:443", True),
        ("https://api.example.com", "https://user@api.example.com./x", True),
        ("https://api.example.com", "https://api.example.com.evil.com/", False),
        ("https://api.example.com", "https://api.example.com@evil.com/", False),
        ("https://api.example.com", "https://api.example.com\\@evil.com/", False),
        ("https://api.example.com", "http://api.example.com/", False),
        ("https://api.example.com", "https://api.example.com:8443/", False),
        ("https://api.example.com", "https://evil.com/?https://api.example.com", False),
        ("https://api.example.com/v1", "https://api.example.com/v1", True),
        ("https://api.example.com/v1", "https://api.example.com/v1?x=1", True),
        ("https://api.example.com/v1", "https://api.example.com/v1/x", True),
        ("https://api.example.com/v1/", "https://api.example.com/v1/x", True),
        ("https://api.example.com/v1", "https://api.example.com/v10", False),
        ("https://api.example.com/v1", "https://api.example.com/v1/../admin", False),
        ("https://api.example.com/v1", "https://api.example.com/v1/%2e%2E/admin", False),
        ("https://api.example.com", 7, False),
    ],
)
def test_url_prefix_is_anchored(prefix: str, url: object, matches: bool) -> None:
    rules = policy(rule("http", "always_allow", match_args={"url_prefix": prefix}), default="never_allow")
    assert decided(rules, "http", url=url) == ("allow" if matches else "deny")


def test_url_prefix_and_other_args_must_both_match() -> None:
    wanted = {"url_prefix": "https://a.example", "method": "GET"}
    rules = policy(rule("http", match_args=wanted))
    assert decided(rules, "http", url="https://a.example/", method="GET") == "deny"
    assert decided(rules, "http", url="https://a.example/", method="POST") == "allow"


@pytest.mark.parametrize(
    "name", ["OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "CHIDORI_API_KEY", "LITELLM_X", "openai_api_key"]
)
def test_provider_keys_and_our_own_settings_need_a_rule_of_their_own(name: str) -> None:
    for given in (policy(), policy(rule("*", "always_allow")), policy(default="always_allow")):
        decision = given.decide(f"env:{name}", {"name": name})
        assert decision.decision == "deny"
        assert f"a rule with target env:{name} can allow it" in str(decision.reason)
    assert decided(policy(rule(f"env:{name}", "always_allow")), f"env:{name}", name=name) == "allow"
    assert decided(policy(rule("env:*", "ask_before")), f"env:{name}", name=name) == "ask"


def test_revealing_any_value_needs_a_rule_of_its_own() -> None:
    revealed = {"name": "HOME", "reveal": True}
    assert decided(policy(), "env:HOME", name="HOME") == "allow"
    assert decided(policy(rule("*", "always_allow")), "env:HOME", **revealed) == "deny"
    assert decided(policy(rule("env:HOME", "always_allow")), "env:HOME", **revealed) == "allow"


def test_a_variable_bound_to_hosts_cannot_be_revealed() -> None:
    bound = policy(rule("env:KEY", "always_allow", hosts=["api.example.com"]))
    assert decided(bound, "env:KEY", name="KEY") == "allow"
    decision = bound.decide("env:KEY", {"name": "KEY", "reveal": True})
    assert decision == Decision("deny", "a rule binds it to hosts, so its value cannot be revealed")
    assert bound.hosts_for("KEY") == ("api.example.com",)
    assert bound.hosts_for("OTHER") is None


def test_untrusted_denies_before_any_rule() -> None:
    rules = policy(rule("*", "always_allow"), profile="untrusted")
    targets = ("http", "tool:x", "exec:js", "env:HOME", "memory", "call_agent")
    assert [decided(rules, target) for target in targets] == ["deny"] * 4 + ["allow"] * 2


def test_trusted_leaves_rules_in_force() -> None:
    assert decided(policy(rule("http"), profile="trusted"), "http") == "deny"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "not valid JSON"),
        (" ", "not valid JSON"),
        ("[]", "the policy must be an object"),
        ('{"rule": []}', "unknown field `rule`"),
        ('{"rules": {}}', "`rules` must be an array"),
        ('{"default": "allow"}', '`default` is "allow"; use one of: always_allow, ask_before, never_allow'),
        ('{"default": null}', "`default` is null"),
        ('{"rules": [7]}', r"rules\[0\] must be an object"),
        ('{"rules": [{"target": "http"}]}', r"rules\[0\]: `decision` is missing"),
        ('{"rules": [{"decision": "never_allow"}]}', r"rules\[0\]: `target` is missing"),
    ],
)
def test_a_policy_that_cannot_be_read_stops_the_start(document: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"CHIDORI_POLICY: .*{message}") as refused:
        load(document)
    assert refused.value.hint == "correct the policy; nothing runs with one that cannot be read"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"decision": "deny"}, r"`rules\[1\].decision` is \"deny\""),
        ({"target": "htpp"}, r"`rules\[1\].target` is \"htpp\""),
        ({"target": "tool"}, r"tool:\*"),
        ({"target": "env:"}, "target"),
        ({"target": "tool:*x"}, "target"),
        ({"target": ["http"]}, "target"),
        ({"reason": 1}, r"rules\[1\].reason must be a string"),
        ({"in_doubt": "maybe"}, r"`rules\[1\].in_doubt`"),
        ({"in_doubt": None}, r"`rules\[1\].in_doubt`"),
        ({"match_args": []}, r"`rules\[1\].match_args` must be an object"),
        (
            {"match_args": {"mehtod": "POST"}},
            r"has `mehtod`, which no call of http has; it has url, url_prefix, method",
        ),
        ({"target": "exec:js", "match_args": {"fuel": 1}}, "has `fuel`, which no call of exec:js has"),
        ({"target": "exec:wasm", "match_args": {"input": 1}}, "has `input`, which no call of exec:wasm has"),
        ({"target": "tool:*", "match_args": {"args": {}}}, r"no call of tool:\* has; it has name, kwargs"),
        ({"match_args": {"url_prefix": 1}}, "url_prefix` must be a string"),
        ({"match_args": {"url_prefix": "example.com"}}, "only http and https"),
        ({"match_args": {"url_prefix": "https://a.example/?q"}}, "scheme, host and path only"),
        ({"match": {}}, "unknown field `match`"),
        ({"hosts": ["a"]}, "targets env:NAME only"),
        ({"target": "env:A", "hosts": "a"}, "must be an array of host names"),
    ],
)
def test_a_faulty_rule_is_named_by_index_and_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        policy(rule("memory"), {**rule("http"), **fields})


def test_a_field_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="'decision' is given twice"):
        load('{"rules": [{"target": "http", "decision": "never_allow", "decision": "always_allow"}]}')


def test_the_file_comes_before_the_inline_policy(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{"default": "never_allow"}')
    environ = {"CHIDORI_POLICY_FILE": str(file), "CHIDORI_POLICY": "{}"}
    assert decided(Policy.load(load_settings(environ)), "http") == "deny"
    file.write_text("{}}")
    with pytest.raises(UsageError, match=r"policy\.json: the policy is not valid JSON"):
        Policy.load(load_settings(environ))
    for unreadable in (tmp_path / "missing.json", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            Policy.load(load_settings({"CHIDORI_POLICY_FILE": str(unreadable)}))


def test_texts() -> None:
    assert denied_text("http", "why") == "policy: `http` denied (why)"
    assert denied_text("http", None) == "policy: `http` denied"
    assert approval_text("tool:x", "why") == "policy: `tool:x` requires approval (why)"
