"""What a policy check costs a call: the decision alone, and a run of calls with and without rules."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from chidori_actors.policy import Policy
from chidori_actors.policy_rules import parse_policy
from chidori_actors.runtime import open_runtime

from .measure import Figure, Rows
from .scenery import bundle_of, complete, own_store

_ROUNDS = 5
_RULES = (1, 10, 100)
_CALLS = 1000
_LONGEST_LOOP = 2000
_TARGET = "http"
_NOBODY = 1000
"""No rule is about the call with that number."""

Rule = dict[str, Any]


def measure() -> list[Figure]:
    """Every figure about policies."""
    return [*_decisions(), *_runs()]


# -- the decision alone ------------------------------------------------------------------------------------------------


def _by_target(number: int) -> Rule:
    return {"target": f"tool:service_{number}_tool", "decision": "never_allow"}


def _by_url(number: int) -> Rule:
    match = {"url_prefix": f"https://service-{number}.example.com/v1/"}
    return {"target": _TARGET, "decision": "never_allow", "match_args": match}


def _by_nested_objects(number: int) -> Rule:
    match = {"method": "POST", "body": {"account": {"plan": "business", "owner": {"id": number}}}}
    return {"target": _TARGET, "decision": "never_allow", "match_args": match}


_FORMS: dict[str, Callable[[int], Rule]] = {
    "of other targets": _by_target,
    "with url_prefix": _by_url,
    "with nested objects": _by_nested_objects,
}


def _call(number: int) -> dict[str, Any]:
    """The record's args of a call that rule ``number`` is about."""
    return {
        "url": f"https://service-{number}.example.com/v1/accounts/7/orders",
        "method": "POST",
        "headers": {"Accept": "application/json"},
        "body": {"account": {"plan": "business plus", "owner": {"id": number, "name": "Ada"}}, "items": [1, 2, 3]},
        "params": {},
    }


def _decisions() -> list[Figure]:
    rows = Rows()
    for _ in range(_ROUNDS):
        rows.add("policy: a decision without rules", "us", _decision_us(Policy(), _TARGET, _call(0), "allow"))
        for form, rule in _FORMS.items():
            for count in _RULES:
                policy, name = _policy([rule(number) for number in range(count)]), f"{_rules(count)} {form}"
                last = (f"tool:service_{count - 1}_tool", {}) if rule is _by_target else (_TARGET, _call(count - 1))
                rows.add(f"  {name}, the last matches", "us", _decision_us(policy, *last, "deny"))
                rows.add(f"  {name}, none matches", "us", _decision_us(policy, _TARGET, _call(_NOBODY), "allow"))
    return rows.figures()


def _policy(rules: list[Rule]) -> Policy:
    return Policy(parse_policy(orjson.dumps({"rules": rules}).decode(), "bench"))


def _rules(count: int) -> str:
    return "1 rule" if count == 1 else f"{count} rules"


def _decision_us(policy: Policy, target: str, args: dict[str, Any], expected: str) -> float:
    if policy.decide(target, args).decision != expected:
        raise RuntimeError(f"the benchmark's policy does not {expected} {target}")
    turns = _LONGEST_LOOP // (len(policy.document.rules) if policy.document else 1)
    began = time.perf_counter()
    for _ in range(turns):
        policy.decide(target, args)
    return (time.perf_counter() - began) / turns * 1e6


# -- a run of calls ----------------------------------------------------------------------------------------------------


def _runs() -> list[Figure]:
    """In turn, as the disk's speed changes. The rules differ from the call in what is looked at last."""
    rows = Rows()
    match = {"action": "get", "namespace": "default"}
    hundred = _policy(
        [
            {"target": "memory", "decision": "never_allow", "match_args": match | {"key": f"locked/{number}/"}}
            for number in range(100)
        ]
    )
    bundle_of("remembering")  # outside of the measured time
    for _ in range(_ROUNDS):
        without, with_rules = asyncio.run(_run(Policy())), asyncio.run(_run(hundred))
        name = f"1 run x {_CALLS:,} calls of memory, "
        rows.add(f"{name}no policy: for each", "ms", without.seconds / _CALLS * 1e3)
        rows.add(f"{name}100 rules, none matches: for each", "ms", with_rules.seconds / _CALLS * 1e3)
        added = with_rules.cpu_seconds - without.cpu_seconds
        rows.add("  processor time that the 100 rules add to a call", "us", added / _CALLS * 1e6)
        rows.add("  a decision by them alone", "us", _decision_us(hundred, "memory", _MEMORY_CALL, "allow"))
    return rows.figures()


_MEMORY_CALL = {"action": "get", "key": "settings/theme", "namespace": "default", "prefix": None, "value": None}
"""The record's args of the agent's calls."""


@dataclass(frozen=True, slots=True)
class _Took:
    """A run: on the clock, and of the processor, which other work on the machine disturbs less."""

    seconds: float
    cpu_seconds: float


async def _run(policy: Policy) -> _Took:
    with own_store() as settings:
        async with open_runtime(settings, policy=policy) as runtime:
            began, cpu_began = time.perf_counter(), time.process_time()
            await complete(runtime, "remembering", calls=_CALLS)
            return _Took(time.perf_counter() - began, time.process_time() - cpu_began)
