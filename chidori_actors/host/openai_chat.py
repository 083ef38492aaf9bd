"""OpenAI's chat format, which litellm speaks for every provider: what is sent, and a streamed reply put together."""

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from .foreign_json import recordable_json
from .function import JsonObject, ToolDefinition
from .providers import AssistantMessage, CompletionRequest, Message, ToolCall

_LONGEST_NAME = 64
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


def chat_messages(request: CompletionRequest) -> list[JsonObject]:
    """The whole conversation: system text, prompt, and the turns that followed it."""
    system = [] if request.system is None else [{"role": "system", "content": request.system}]
    return [*system, {"role": "user", "content": request.text}, *map(_chat_message, request.messages)]


def chat_tools(tools: Sequence[ToolDefinition]) -> list[JsonObject]:
    """The tools as functions, with their whole schemas."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                # litellm rewrites schemas in place for some providers, and these are used again.
                "parameters": deepcopy(tool.parameters),
            },
        }
        for tool in tools
    ]


def _chat_message(message: Message) -> JsonObject:
    if isinstance(message, AssistantMessage):
        if not message.tool_calls:  # providers refuse an empty list of calls
            return {"role": "assistant", "content": message.content}
        calls = [_chat_tool_call(call) for call in message.tool_calls]
        return {"role": "assistant", "content": message.content or None, "tool_calls": calls}
    # The format has no field for failure, so the text must tell it.
    marked = message.is_error and not message.content.startswith("Error:")
    return {
        "role": "tool",
        "tool_call_id": message.tool_call_id,
        "content": f"Error: {message.content}" if marked else message.content,
    }


def _chat_tool_call(call: ToolCall) -> JsonObject:
    # A name that the model made up is sent back as one that providers take, or the conversation could not go on.
    name = _NOT_IN_NAMES.sub("_", call.name)[:_LONGEST_NAME] or "unnamed"
    return {"id": call.id, "type": "function", "function": {"name": name, "arguments": call.arguments}}


@dataclass(slots=True)
class _OpenCall:
    id: str
    name: str
    arguments: list[str] = field(default_factory=list)

    def is_another(self, call_id: str, name: str, arguments: str) -> bool:
        """Whether a piece with the same index begins another call than this one."""
        if call_id and self.id:
            return call_id != self.id
        return bool(name and self.name and arguments) and _is_json("".join(self.arguments))


class StreamedReply:
    """Collects the deltas of one reply."""

    def __init__(self) -> None:
        self._blocks: list[list[str] | _OpenCall] = []
        self._by_index: dict[int, _OpenCall] = {}

    def add(self, delta: Any) -> str:
        """Take litellm's ``delta`` of a chunk and give its text."""
        text: str = delta.content or ""
        if text:
            self._add_text(text)
        for piece in delta.tool_calls or ():
            function = piece.function
            self._add_tool_call(piece.index, piece.id or "", function.name or "", function.arguments or "")
        return text

    def blocks(self) -> tuple[str | ToolCall, ...]:
        """Texts and tool calls in the order in which they began."""
        return tuple(
            "".join(block) if isinstance(block, list) else ToolCall(block.id, block.name, "".join(block.arguments))
            for block in self._blocks
        )

    def _add_text(self, text: str) -> None:
        last = self._blocks[-1] if self._blocks else None
        if isinstance(last, list):
            last.append(text)
        else:
            self._blocks.append([text])

    def _add_tool_call(self, index: int, call_id: str, name: str, arguments: str) -> None:
        """Add a piece of a call.

        Only OpenAI numbers its calls reliably: some providers, and litellm for those that send no index, give 0 to
        every call of a turn, each sent whole. A new id then tells that another call begins, or a name after
        complete arguments.
        """
        call = self._by_index.get(index)
        if call is None or call.is_another(call_id, name, arguments):
            call = self._by_index[index] = _OpenCall(call_id, name)
            self._blocks.append(call)
        call.id = call.id or call_id
        call.name = call.name or name
        call.arguments.append(arguments)


def _is_json(text: str) -> bool:
    try:
        recordable_json(text)
    except ValueError:
        return False
    return True
