"""One turn of a tool loop: the tools offered, the conversation so far, and the model's answer as a value."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from .. import exact_json
from .foreign_json import recordable_json
from .function import HostError, JsonObject, ToolDefinition, Tools
from .providers import AssistantMessage, Completion, Message, ToolCall, ToolMessage
from .reply_json import shortened
from .unicode import without_lone_surrogates

_SENDABLE_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


async def offered_tools(names: Sequence[str], tools: Tools) -> tuple[ToolDefinition, ...]:
    """The definitions of the tools of these names, each once.

    Raises:
        HostError: there is no such tool, or model providers do not take its name.
    """
    if not all(isinstance(name, str) for name in names):
        raise HostError("prompt: tools must be an array of names")
    definitions = await tools.definitions(list(dict.fromkeys(names)))
    for tool in definitions:
        if not _SENDABLE_NAME.fullmatch(tool.name):
            raise HostError(
                f"prompt: the tool {tool.name!r} cannot be offered to a model: providers take names of 1 to 64 letters "
                "a-z, digits, _ and -; rename it, or leave it out of `tools` and call it with chidori.tool()"
            )
    return tuple(definitions)


def conversation(messages: Iterable[Mapping[str, Any]]) -> tuple[Message, ...]:
    """The turns after the prompt, from the record's ``messages``.

    Raises:
        HostError: an agent that redefined arrays or objects bent them.
    """
    try:
        return tuple(_message(message) for message in messages)
    except (AttributeError, KeyError, TypeError):
        raise HostError("prompt: the messages are not those of a tool loop") from None


def _message(message: Mapping[str, Any]) -> Message:
    if message["role"] == "tool":
        return ToolMessage(message["id"], message["content"], message.get("is_error", False))
    calls = message.get("tool_calls") or ()
    return AssistantMessage(
        message["content"],
        tuple(ToolCall(call["id"], call["name"], exact_json.dumps(call["input"]).decode()) for call in calls),
    )


def turn_result(completion: Completion, turn: int, messages: Iterable[Message]) -> JsonObject:
    """The wire contract's result of a turn, to be written with orjson.

    Every call gets an id that no other call of the conversation has. A call whose arguments are not a JSON object
    has an empty ``input`` and says why in ``invalid``.
    """
    used = {call.id for message in messages if isinstance(message, AssistantMessage) for call in message.tool_calls}
    blocks: list[JsonObject] = []
    calls: list[JsonObject] = []
    for block in completion.blocks:
        if isinstance(block, str):
            blocks.append({"type": "text", "text": without_lone_surrogates(block)})
            continue
        given, fault = _arguments(block.arguments, cut=completion.finish_reason == "length")
        call = {
            "id": _unique_id(without_lone_surrogates(block.id), used, turn, len(calls) + 1),
            "name": without_lone_surrogates(block.name),
            "input": orjson.Fragment(given),
        }
        blocks.append({"type": "tool_use", **call})
        calls.append(call if fault is None else {**call, "invalid": fault})
    usage = completion.token_usage or {}
    return {
        "content": without_lone_surrogates(completion.text),
        "blocks": blocks,
        "tool_calls": calls,
        "stop_reason": _stop_reason(completion),
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
    }


def _stop_reason(completion: Completion) -> str:
    if completion.finish_reason == "length":
        return "max_tokens"
    # Some providers say "stop" when they ask for tools.
    return "tool_use" if completion.tool_calls else "end_turn"


def _arguments(text: str, *, cut: bool) -> tuple[bytes, str | None]:
    """The arguments as JSON text of an object, and what is wrong with them."""
    if not text.strip():
        return b"{}", None  # how several providers write a call without arguments
    reason = " (the reply was cut at the token cap)" if cut else ""
    try:
        given = recordable_json(text)
    except ValueError as error:
        fault = f"the arguments are not JSON: {error}{reason}"
    else:
        if given.startswith(b"{"):
            return given, None
        fault = f"the arguments are not a JSON object{reason}"
    return b"{}", f"{fault}. They were: {shortened(without_lone_surrogates(text))}"


def _unique_id(given: str, used: set[str], turn: int, number: int) -> str:
    """``given`` if it can serve, otherwise ``call_<turn>_<number>`` with the next free number. Added to ``used``."""
    call_id = given
    while not call_id or call_id in used:
        call_id = f"call_{turn}_{number}"
        number += 1
    used.add(call_id)
    return call_id
