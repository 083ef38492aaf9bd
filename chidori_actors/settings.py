"""The one place that reads the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import orjson

from .errors import UsageError

Durability = Literal["strict", "relaxed"]
ImportPolicy = Literal["none", "relative", "project"]
ClockPolicy = Literal["disabled", "fixed"]
RandomPolicy = Literal["disabled", "seeded"]
MapsSetsPolicy = Literal["reject", "serialize"]

_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s]+")
_KEY = re.compile(r"[\x21-\x7e]+")
_ACQUIRE_TIMEOUT_MS = 30_000
_MAX_BODY_BYTES = 10_000_000
_HTTP_MAX_BODY_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class RuntimePolicy:
    """What agent code may import and see; recorded in the manifest and compared at resume."""

    typescript_imports: ImportPolicy = "relative"
    date: ClockPolicy = "fixed"
    random: RandomPolicy = "seeded"
    maps_sets: MapsSetsPolicy = "serialize"


@dataclass(frozen=True, slots=True)
class FixedToolCall:
    """A tool call that the provider of dry runs asks for."""

    name: str
    input: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting that the environment can change, checked once at the start.

    ``environ`` is kept for ``env()`` and for provider keys, which are read at the moment of use.
    ``http_max_body_bytes`` bounds the decoded body of an answer that an agent gets by ``http``, ``max_body_bytes`` the
    body of a request to the server. ``cors_origins`` are those of browsers that may use the server, ``*`` for all;
    ``max_concurrent_sessions`` None sets no limit, and a request waits ``acquire_timeout_ms`` for its turn;
    ``webhooks`` is the file that says how event paths authenticate. ``ray_address`` is the cluster that runs agents
    and has the store, None for this process; ``resources`` are what its hosts must have for them, by name.
    """

    store: Path = Path(".chidori/store")
    durability: Durability = "strict"
    model: str | None = None
    test_llm_response: str | None = None
    test_llm_tool_call: tuple[FixedToolCall, ...] = ()
    mcp_config: Path | None = None
    policy_file: Path | None = None
    policy_inline: str | None = None
    http_allow_hosts: tuple[str, ...] = ()
    http_max_body_bytes: int = _HTTP_MAX_BODY_BYTES
    api_key: str | None = field(default=None, repr=False)
    cors_origins: tuple[str, ...] = ()
    max_concurrent_sessions: int | None = None
    acquire_timeout_ms: int = _ACQUIRE_TIMEOUT_MS
    max_body_bytes: int = _MAX_BODY_BYTES
    webhooks: Path | None = None
    ray_address: str | None = None
    resources: tuple[tuple[str, float], ...] = ()
    runtime_policy: RuntimePolicy = field(default_factory=RuntimePolicy)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


def _choice(environ: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = environ.get(name) or default
    if value not in allowed:
        raise UsageError(f"{name} is {value!r}", hint=f"use one of: {', '.join(allowed)}")
    return value


Absent = TypeVar("Absent", int, None)


def _number(environ: Mapping[str, str], name: str, least: int, absent: Absent) -> int | Absent:
    value = environ.get(name)
    if not value:
        return absent
    if not _NUMBER.fullmatch(value) or int(value) < least:
        raise UsageError(f"{name} is {value!r}", hint=f"use a whole number from {least} on")
    return int(value)


def _list(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in environ.get(name, "").split(",") if part.strip())


def _cors_origins(environ: Mapping[str, str]) -> tuple[str, ...]:
    origins = _list(environ, "CHIDORI_CORS_ORIGINS")
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise UsageError(
                f"CHIDORI_CORS_ORIGINS has {origin!r}, which is not an origin",
                hint="write an origin as a browser sends it: https://app.example.com or http://localhost:3000, no path",
            )
    return origins


def _api_key(environ: Mapping[str, str]) -> str | None:
    key = environ.get("CHIDORI_API_KEY") or None
    if key is not None and not _KEY.fullmatch(key):
        raise UsageError(
            "CHIDORI_API_KEY has characters that an Authorization header cannot carry",
            hint="use printable ASCII without spaces",
        )
    return key


def _deterministic(environ: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    if environ.get(name) == "host":
        raise UsageError(
            f"{name}=host: a durable run cannot read the host's clock or randomness, it could not be replayed",
            hint=f"use one of: {', '.join(allowed)}",
        )
    return _choice(environ, name, default, allowed)


def _fixed_tool_calls(environ: Mapping[str, str]) -> tuple[FixedToolCall, ...]:
    text = environ.get("CHIDORI_TEST_LLM_TOOL_CALL")
    if not text:
        return ()
    if environ.get("CHIDORI_TEST_LLM_RESPONSE") is None:
        raise UsageError(
            "CHIDORI_TEST_LLM_TOOL_CALL is set without CHIDORI_TEST_LLM_RESPONSE",
            hint="set CHIDORI_TEST_LLM_RESPONSE too: the answer once the tools have been called",
        )
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _not_tool_calls(f"is not JSON ({error})") from error
    calls = value if isinstance(value, list) else [value]
    return tuple(_fixed_tool_call(call) for call in calls)


def _fixed_tool_call(call: Any) -> FixedToolCall:
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise _not_tool_calls('has a tool call without "name"')
    if unknown := sorted(call.keys() - {"name", "input"}):
        raise _not_tool_calls(f"has a field {unknown[0]!r} that a tool call does not have")
    given = call.get("input", {})
    if not isinstance(given, dict):
        raise _not_tool_calls(f'has an "input" for {call["name"]!r} that is not an object')
    return FixedToolCall(call["name"], given)


def _not_tool_calls(fault: str) -> UsageError:
    return UsageError(
        f"CHIDORI_TEST_LLM_TOOL_CALL {fault}",
        hint='use {"name": "web_search", "input": {"query": "…"}} or a list of such objects',
    )


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from ``environ`` (the process's environment by default).

    Raises:
        UsageError: a variable has a value that is not allowed; the message names both.
    """
    env = dict(os.environ) if environ is None else dict(environ)
    policy = RuntimePolicy(
        typescript_imports=cast(
            ImportPolicy, _choice(env, "CHIDORI_TS_IMPORTS", "relative", ("none", "relative", "project"))
        ),
        date=cast(ClockPolicy, _deterministic(env, "CHIDORI_TS_DATE", "fixed", ("disabled", "fixed"))),
        random=cast(RandomPolicy, _deterministic(env, "CHIDORI_TS_RANDOM", "seeded", ("disabled", "seeded"))),
        maps_sets=cast(
            MapsSetsPolicy,
            _choice(env, "CHIDORI_SNAPSHOT_MAPS_SETS", "serialize", ("reject", "serialize")),
        ),
    )
    policy_file = env.get("CHIDORI_POLICY_FILE")
    mcp_config = env.get("CHIDORI_MCP_CONFIG")
    webhooks = env.get("CHIDORI_WEBHOOKS")
    return Settings(
        store=Path(env.get("CHIDORI_DB_PATH") or ".chidori/store"),
        durability=cast(Durability, _choice(env, "CHIDORI_DURABILITY", "strict", ("strict", "relaxed"))),
        model=env.get("CHIDORI_MODEL") or None,
        test_llm_response=env.get("CHIDORI_TEST_LLM_RESPONSE"),
        test_llm_tool_call=_fixed_tool_calls(env),
        mcp_config=Path(mcp_config) if mcp_config else None,
        policy_file=Path(policy_file) if policy_file else None,
        policy_inline=env.get("CHIDORI_POLICY") or None,
        http_allow_hosts=_list(env, "CHIDORI_HTTP_ALLOW_HOSTS"),
        http_max_body_bytes=_number(env, "CHIDORI_HTTP_MAX_BODY_BYTES", 1, _HTTP_MAX_BODY_BYTES),
        api_key=_api_key(env),
        cors_origins=_cors_origins(env),
        max_concurrent_sessions=_number(env, "CHIDORI_MAX_CONCURRENT_SESSIONS", 1, None),
        acquire_timeout_ms=_number(env, "CHIDORI_ACQUIRE_TIMEOUT_MS", 0, _ACQUIRE_TIMEOUT_MS),
        max_body_bytes=_number(env, "CHIDORI_MAX_BODY_BYTES", 1, _MAX_BODY_BYTES),
        webhooks=Path(webhooks) if webhooks else None,
        ray_address=env.get("CHIDORI_RAY_ADDRESS") or None,
        runtime_policy=policy,
        environ=env,
    )
