"""Tools in OpenAI's chat format: what OpenAI refuses of a request, and how it streams tool calls.

A scripted tool call is ``{id, name, arguments}``, the arguments an object or the raw text.
"""

import json
import re
from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import Any

JsonObject = dict[str, Any]
ARGUMENT_CHARACTERS = 5
_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def conversation_fault(body: JsonObject) -> str | None:
    """Why OpenAI would refuse the request's messages and tools, or None."""
    unanswered: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in unanswered:
                return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
            unanswered.remove(message["tool_call_id"])
        elif unanswered:
            break
        elif "tool_calls" in message:
            unanswered = [call["id"] for call in message["tool_calls"]]
            if not unanswered or not all(map(_is_tool_call, message["tool_calls"])):
                return "'tool_calls' must be functions with a valid name and arguments that are a string."
        elif not isinstance(message.get("content"), str):
            return "'content' must be a string."
    if unanswered:
        return (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(unanswered)}"
        )
    functions = [tool["function"] for tool in body.get("tools", [])]
    good = all(_FUNCTION_NAME.fullmatch(each["name"]) and each["parameters"]["type"] == "object" for each in functions)
    names = {each["name"] for each in functions}
    return None if good and len(names) == len(functions) and body.get("tools") != [] else "Invalid 'tools'."


def _is_tool_call(call: JsonObject) -> bool:
    function = call["function"]
    named = _FUNCTION_NAME.fullmatch(function["name"]) is not None
    return bool(call["id"]) and call["type"] == "function" and named and isinstance(function["arguments"], str)


def pieces(text: str, size: int) -> list[str]:
    """``text`` cut into parts of ``size`` characters; none when it is empty."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def tool_calls(scripted: Sequence[JsonObject]) -> list[JsonObject]:
    """The tool calls as they stand in a message."""
    return [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": _arguments(call)}}
        for call in scripted
    ]


def _arguments(call: JsonObject) -> str:
    arguments = call["arguments"]
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def tool_call_deltas(scripted: Sequence[JsonObject], *, whole: bool) -> list[JsonObject]:
    """The tool calls as OpenAI streams them: first the names, then the arguments, here a piece of each in turn.

    ``whole`` sends each in one piece without an index.
    """
    calls = tool_calls(scripted)
    if whole:
        return [{"tool_calls": [call]} for call in calls]
    streams: list[list[JsonObject]] = []
    for index, call in enumerate(calls):
        function = call["function"]
        parts = pieces(function["arguments"], ARGUMENT_CHARACTERS)
        opening = {"index": index, **call, "function": {"name": function["name"], "arguments": ""}}
        streams.append([opening, *({"index": index, "function": {"arguments": part}} for part in parts)])
    return [{"tool_calls": [piece]} for piece in chain.from_iterable(zip_longest(*streams)) if piece is not None]
