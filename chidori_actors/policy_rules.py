"""A policy document: its grammar, and what a rule matches."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NoReturn, cast

from .config_text import parse_json_config
from .errors import UsageError
from .finite_numbers import non_finite
from .host.unicode import without_lone_surrogates
from .urls import HttpUrl, parse_http_url

RuleDecision = Literal["always_allow", "ask_before", "never_allow"]
InDoubt = Literal["retry", "ask"]

_DECISIONS = ("always_allow", "ask_before", "never_allow")
_IN_DOUBT = ("retry", "ask")
_PLAIN_TARGETS = ("*", "http", "call_agent", "memory")
_TARGET_FAMILIES = ("tool:", "exec:", "env:")
_BOUNDED = ("source", "input", "timeout_ms", "memory_mb")
_ARGS = {
    "http": ("url", "url_prefix", "method", "headers", "params", "body", "timeout_ms", "auth"),
    "tool:": ("name", "kwargs"),
    "exec:js": _BOUNDED,
    "exec:python": (*_BOUNDED, "runtime"),
    "exec:wasm": ("source", "function", "args", "timeout_ms", "memory_pages", "fuel"),
    "env:": ("name", "reveal"),
    "call_agent": ("path", "input"),
    "memory": ("action", "key", "namespace", "prefix", "value", "values"),
}
"""What calls are recorded with (wire contract, section 4), and what rules may say of them besides."""
_DEEPEST = 100
_RULE_FIELDS = ("target", "decision", "match_args", "reason", "in_doubt", "hosts")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``number`` is its place in the document, from 0, as error texts count. ``url_prefix`` stands among the
    ``match_args`` of the document.
    """

    number: int
    target: str
    decision: RuleDecision
    url_prefix: str | None = None
    match_args: dict[str, Any] | None = None
    reason: str | None = None
    in_doubt: InDoubt | None = None
    hosts: tuple[str, ...] | None = None

    def matches(self, target: str, args: dict[str, Any]) -> bool:
        """Whether the rule is about this call."""
        return (
            _target_matches(self.target, target)
            and (self.url_prefix is None or _url_has_prefix(args.get("url"), self.url_prefix))
            and (self.match_args is None or _value_matches(self.match_args, args))
        )


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy as it was written; ``source`` is the file or variable that it came from."""

    source: str
    rules: tuple[Rule, ...]
    default: RuleDecision


def parse_policy(text: str, source: str) -> PolicyDocument:
    """Read a policy document (JSON text).

    Raises:
        UsageError: it is not one; the message names the source, the rule's index and the field.
    """
    try:
        document = parse_json_config(text)
    except ValueError as error:
        _fail(source, f"the policy is not valid JSON: {error}", error)
    if not isinstance(document, dict):
        _fail(source, "the policy must be an object with `rules` and `default`")
    _refuse_unknown_fields(source, "", document, ("rules", "default"))
    rules = document.get("rules", [])
    if not isinstance(rules, list):
        _fail(source, "`rules` must be an array")
    default = _choice(source, "default", document.get("default", "always_allow"), _DECISIONS)
    return PolicyDocument(
        source,
        tuple(_rule(source, index, rule) for index, rule in enumerate(rules)),
        cast(RuleDecision, default),
    )


def _fail(source: str, problem: str, cause: Exception | None = None) -> NoReturn:
    hint = "correct the policy; nothing runs with one that cannot be read"
    raise UsageError(f"{source}: {problem}", hint=hint) from cause


def _refuse_unknown_fields(source: str, place: str, given: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            _fail(source, f"{place}unknown field `{name}`; known are {', '.join(known)}")


def _choice(source: str, field: str, value: object, allowed: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in allowed:
        _fail(source, f"`{field}` is {json.dumps(value)}; use one of: {', '.join(allowed)}")
    return value


def _rule(source: str, index: int, given: object) -> Rule:
    place = f"rules[{index}]"
    if not isinstance(given, dict):
        _fail(source, f"{place} must be an object")
    _refuse_unknown_fields(source, f"{place}: ", given, _RULE_FIELDS)
    for required in ("target", "decision"):
        if required not in given:
            _fail(source, f"{place}: `{required}` is missing")
    reason = given.get("reason")
    if "reason" in given and not isinstance(reason, str):
        _fail(source, f"{place}.reason must be a string")
    in_doubt = given.get("in_doubt")
    if "in_doubt" in given:
        _choice(source, f"{place}.in_doubt", in_doubt, _IN_DOUBT)
    target = _target(source, f"{place}.target", given["target"])
    match_args = _match_args(source, f"{place}.match_args", given, target)
    url_prefix = match_args.pop("url_prefix", None) if match_args else None
    return Rule(
        number=index,
        target=target,
        decision=cast(RuleDecision, _choice(source, f"{place}.decision", given["decision"], _DECISIONS)),
        url_prefix=url_prefix,
        match_args=match_args,
        reason=reason,
        in_doubt=cast("InDoubt | None", in_doubt),
        hosts=_hosts(source, f"{place}.hosts", given, target),
    )


def _target(source: str, field: str, value: object) -> str:
    """A misspelt target would match nothing, so that its ``never_allow`` would fall open: it is refused."""
    if isinstance(value, str) and _can_match(value):
        return value
    _fail(
        source,
        f"`{field}` is {json.dumps(value)}; use http, tool:NAME, exec:js, exec:python, exec:wasm, env:NAME, "
        "call_agent, memory, a prefix such as tool:*, or *",
    )


def _can_match(target: str) -> bool:
    """Whether there can be a call that the target is about."""
    if target in _PLAIN_TARGETS:
        return True
    family, _, name = target.partition(":")
    if f"{family}:" not in _TARGET_FAMILIES or not name or "*" in name[:-1]:
        return False
    if family == "exec":
        return any(_target_matches(target, one) for one in _ARGS)
    return name.isprintable() and name == name.strip()


def _match_args(source: str, field: str, rule: dict[str, Any], target: str) -> dict[str, Any] | None:
    if "match_args" not in rule:
        return None
    match_args = rule["match_args"]
    if not isinstance(match_args, dict):
        _fail(source, f"`{field}` must be an object")
    if (fault := _unmatchable(match_args, field)) is not None:
        _fail(source, fault)
    known = _known_args(target)
    for name in match_args:
        if name not in known:  # no call would match, so that a `never_allow` would fall open
            _fail(source, f"`{field}` has `{name}`, which no call of {target} has; it has {', '.join(known)}")
    if "url_prefix" in match_args:
        prefix = match_args["url_prefix"]
        if not isinstance(prefix, str):
            _fail(source, f"`{field}.url_prefix` must be a string")
        try:
            parsed = parse_http_url(prefix)
        except ValueError as error:
            _fail(source, f"`{field}.url_prefix` {json.dumps(prefix)} cannot be used: {error}")
        if parsed.query or parsed.user is not None or "#" in prefix:
            _fail(source, f"`{field}.url_prefix` must be scheme, host and path only")
    return match_args


def _known_args(target: str) -> tuple[str, ...]:
    """The names of the arguments that some call has which the target is about."""
    about = [
        names
        for one, names in _ARGS.items()
        if _target_matches(target, one) or (one.endswith(":") and target.startswith(one))
    ]
    return tuple(dict.fromkeys(name for names in about for name in names))


def _unmatchable(match_args: dict[str, Any], field: str) -> str | None:
    """What in ``match_args`` no call can have, so that the rule would never match; None when there is nothing."""
    waiting: list[tuple[Any, int]] = [(match_args, 0)]
    while waiting:
        item, depth = waiting.pop()
        if depth > _DEEPEST:
            return f"`{field}` is nested more than {_DEEPEST} deep"
        if isinstance(item, str) and without_lone_surrogates(item) != item:
            return f"`{field}` has a text with half of a surrogate pair, {json.dumps(item)}"
        inside = [each for pair in item.items() for each in pair] if isinstance(item, dict) else item
        if isinstance(inside, list):
            waiting += [(each, depth + 1) for each in inside]
    return non_finite(match_args, field)


def _hosts(source: str, field: str, rule: dict[str, Any], target: str) -> tuple[str, ...] | None:
    if "hosts" not in rule:
        return None
    hosts = rule["hosts"]
    if not target.startswith("env:"):
        _fail(source, f"`{field}` is for targets env:NAME only")
    if not isinstance(hosts, list) or not all(isinstance(host, str) and host for host in hosts):
        _fail(source, f"`{field}` must be an array of host names")
    return tuple(hosts)


def _target_matches(pattern: str, target: str) -> bool:
    return target.startswith(pattern[:-1]) if pattern.endswith("*") else target == pattern


def _value_matches(wanted: Any, given: Any) -> bool:
    match wanted:
        case dict():
            return isinstance(given, dict) and all(
                name in given and _value_matches(value, given[name]) for name, value in wanted.items()
            )
        case list():
            return isinstance(given, list) and len(given) == len(wanted) and all(map(_value_matches, wanted, given))
        case str():
            return isinstance(given, str) and wanted in given
        case bool():
            return given is wanted
        case int() | float():
            return isinstance(given, int | float) and not isinstance(given, bool) and given == wanted
        case _:
            return given is None


def _url_has_prefix(url: object, prefix: str) -> bool:
    if not isinstance(url, str):
        return False
    asked = _parsed(url)
    wanted = _parsed(prefix)
    return wanted is not None and asked is not None and _below(wanted, asked)


@lru_cache(maxsize=512)
def _parsed(text: str) -> HttpUrl | None:
    """The URL, or None for what ``http`` refuses whatever the policy says. Each rule looks at the same one."""
    try:
        return parse_http_url(text)
    except ValueError:
        return None


def _below(prefix: HttpUrl, url: HttpUrl) -> bool:
    """Same origin, and the path continues the prefix's at a segment boundary: ``/v1`` covers not ``/v10``."""
    base = prefix.path.removesuffix("/")
    return prefix.origin == url.origin and (url.path in (base, prefix.path) or url.path.startswith(base + "/"))
