"""The host function ``prompt``: one request to a model, tried again when the failure may pass."""

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

import orjson

from .. import exact_json
from .function import HostCall, HostError, HostFunction, HostResult, HostServices, JsonObject
from .litellm_library import LitellmLibrary
from .providers import Completion, CompletionRequest, Provider, ProviderError
from .reply_json import json_text, shortened
from .test_provider import FixedTextProvider
from .tool_turns import conversation, offered_tools, turn_result
from .unicode import without_lone_surrogates

DEFAULT_MODEL = "claude-sonnet-4-5"
_ATTEMPTS = 3
_FIRST_WAIT_S = 0.5
_JITTER = 0.1
_OPTIONS = ("system", "max_tokens", "temperature", "format", "strict", "tools", "turn", "max_turns", "messages")
_NOT_SENT = ("type", "strict", "turn", "max_turns")

Sleep = Callable[[float], Awaitable[None]]


def record_args(args: JsonObject, default_model: str | None) -> JsonObject:
    """The record's args: text, model and type, the options that were given, and ``request_digest``, the
    SHA-256 (``sha256:<hex>``) of what is sent as canonical JSON."""
    given = {
        name: without_lone_surrogates(value) if isinstance(value, str) else value
        for name, value in args.items()
        if value is not None
    }
    recorded: JsonObject = {
        "text": given.get("text", ""),
        "model": given.get("model") or default_model or DEFAULT_MODEL,
        "type": given.get("type"),
    }
    recorded.update((name, given[name]) for name in _OPTIONS if name in given)
    sent = {name: value for name, value in recorded.items() if name not in _NOT_SENT}
    digest = hashlib.sha256(exact_json.dumps(sent, option=orjson.OPT_SORT_KEYS)).hexdigest()
    recorded["request_digest"] = f"sha256:{digest}"
    return recorded


async def run_prompt(call: HostCall, services: HostServices, *, sleep: Sleep = asyncio.sleep) -> HostResult:
    """Answer one prompt. The value is the reply's text, or with ``format: "json"`` what it says.

    With ``tools`` (a turn of a tool loop) it is the wire contract's turn; what a JSON reply says is its ``value``.
    ``sleep`` waits between attempts, in seconds.

    Raises:
        HostError: the provider failed for good, none is configured, a tool is unknown, or the reply is not the
            JSON asked for.
    """
    request = await _request(call.args, services)
    attempts: list[JsonObject] = []
    completion = await _with_retries(call, services, request, attempts, sleep)
    notes = {
        "provider": services.secrets.redact(completion.provider),
        **_notes(completion, call.args, attempts),
    }
    if "tools" not in call.args:
        return HostResult(_said(completion, call.args, notes), completion.token_usage, notes)
    turn = turn_result(completion, call.args.get("turn", 1), request.messages)
    if request.json_object and not completion.tool_calls:
        turn["value"] = orjson.Fragment(_said(completion, call.args, notes))
    return HostResult(exact_json.dumps(turn), completion.token_usage, notes)


def _said(completion: Completion, args: Mapping[str, Any], notes: Mapping[str, Any]) -> bytes:
    """The reply's text, or the JSON that was asked for, as JSON text."""
    reply = without_lone_surrogates(completion.text)
    if args.get("format") != "json":
        return orjson.dumps(reply)
    try:
        return json_text(reply)
    except ValueError as error:
        if args.get("strict") is False:
            return orjson.dumps(reply)
        raise HostError(
            _not_json(reply, notes),
            data={"model": args["model"]},
            notes=notes,
            token_usage=completion.token_usage,
        ) from error


def _provider(services: HostServices) -> Provider:
    settings = services.settings
    if settings.test_llm_response is not None:
        return FixedTextProvider(settings.test_llm_response, settings.test_llm_tool_call)
    from .litellm_provider import LitellmProvider  # its error texts need ssl and email, which other runs save

    library = services.resources.get(LitellmLibrary, LitellmLibrary)
    return LitellmProvider(library, settings.environ)


async def _with_retries(
    call: HostCall, services: HostServices, request: CompletionRequest, attempts: list[JsonObject], sleep: Sleep
) -> Completion:
    """The first completion of at most three attempts; the failed ones are added to ``attempts``."""
    provider = _provider(services)
    while True:
        try:
            return await _attempt(call, services, provider, request)
        except ProviderError as error:
            message = services.secrets.redact(str(error))
            last = not error.passing or len(attempts) == _ATTEMPTS - 1
            wait_s = 0.0 if last else _wait_seconds(error, len(attempts))
            attempts.append({"error": message, "status": error.status, "wait_ms": round(wait_s * 1000)})
            if last:
                raise _failure(error, message, request.model, attempts) from error
        await sleep(wait_s)


def _failure(error: ProviderError, message: str, model: str, attempts: list[JsonObject]) -> HostError:
    tries = f" (after {len(attempts)} attempts)" if len(attempts) > 1 else ""
    return HostError(
        f"prompt: {message}{tries}",
        data={"status": error.status, "provider": error.provider.partition(" ")[0], "model": model},
        notes={"attempts": attempts} if len(attempts) > 1 else None,
    )


def _wait_seconds(error: ProviderError, failed_before: int) -> float:
    if error.retry_after_s is not None:
        return error.retry_after_s
    # Jitter, so that a thousand runs refused together do not come back together. Nothing of it is replayed.
    return float(_FIRST_WAIT_S * 2**failed_before * (1 + random.random() * _JITTER))


async def _attempt(
    call: HostCall, services: HostServices, provider: Provider, request: CompletionRequest
) -> Completion:
    """One request, told to ``services.events`` as a stream of its own, which always ends."""
    stream_id, label = uuid4().hex, call.args.get("type")
    events = services.events
    events.prompt_start(stream_id, call.seq, label, request.model)
    ended = partial(events.prompt_end, stream_id, call.seq, label)

    def on_delta(text: str) -> None:
        events.prompt_delta(stream_id, call.seq, label, without_lone_surrogates(text))

    try:
        completion = await provider.complete(request, on_delta)
    except asyncio.CancelledError:
        ended("cancelled")
        raise
    except Exception as error:
        ended(services.secrets.redact(str(error)))
        raise
    ended(None)
    return completion


async def _request(args: Mapping[str, Any], services: HostServices) -> CompletionRequest:
    return CompletionRequest(
        model=args["model"],
        text=args["text"],
        system=args.get("system"),
        max_tokens=args.get("max_tokens"),
        temperature=args.get("temperature"),
        json_object=args.get("format") == "json",
        tools=await offered_tools(args["tools"], services.tools) if "tools" in args else (),
        messages=conversation(args.get("messages", ())),
    )


def _notes(completion: Completion, args: Mapping[str, Any], attempts: list[JsonObject]) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    warnings: list[str] = []
    if attempts:
        notes["attempts"] = attempts
    if completion.finish_reason == "length":
        notes["finish_reason"] = "length"
        cap = args.get("max_tokens")
        warnings.append(f"the reply was cut at {'the token cap' if cap is None else f'max_tokens={cap}'}")
    if not completion.text and not ("tools" in args and completion.tool_calls):
        warnings.append("the reply is empty")
    if warnings:
        notes["warnings"] = warnings
    return notes


def _not_json(reply: str, notes: Mapping[str, Any]) -> str:
    reasons = "".join(f" ({warning})" for warning in notes.get("warnings", ()))
    shown = shortened(reply)
    return f'prompt: the reply did not parse as JSON{reasons}; strict set to false gives it as text. It was: "{shown}"'


FUNCTION = HostFunction(name="prompt", run=run_prompt, record_args=record_args)
