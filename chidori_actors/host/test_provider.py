"""The provider of dry runs (``CHIDORI_TEST_LLM_RESPONSE``): a fixed text for any model, and no network."""

import asyncio
from collections.abc import Callable, Sequence

import orjson

from ..settings import FixedToolCall
from .function import HostError
from .providers import TEST_PROVIDER, Completion, CompletionRequest, ToolCall

_DELTAS = 4


class FixedTextProvider:
    """Answers every prompt with ``text``; a token is a word.

    A prompt that offers tools first gets those of ``tool_calls`` that it offers (``CHIDORI_TEST_LLM_TOOL_CALL``).
    """

    def __init__(self, text: str, tool_calls: Sequence[FixedToolCall] = ()) -> None:
        self._text = text
        self._tool_calls = tool_calls

    async def complete(self, request: CompletionRequest, on_delta: Callable[[str], None]) -> Completion:
        """The text, streamed in up to four pieces with the event loop running in between, or the tool calls.

        Raises:
            HostError: the prompt offers none of the tools that are to be called.
        """
        if request.tools and self._tool_calls and not request.messages:
            calls = self._offered_calls(request)
            return Completion(calls, TEST_PROVIDER, "tool_calls", _usage(request, len(calls)))
        size = max(1, -(-len(self._text) // _DELTAS))
        for start in range(0, len(self._text), size):
            on_delta(self._text[start : start + size])
            await asyncio.sleep(0)
        return Completion(
            (self._text,) if self._text else (), TEST_PROVIDER, "stop", _usage(request, len(self._text.split()))
        )

    def _offered_calls(self, request: CompletionRequest) -> tuple[ToolCall, ...]:
        offered = [tool.name for tool in request.tools]
        calls = tuple(
            ToolCall("", call.name, orjson.dumps(call.input).decode())
            for call in self._tool_calls
            if call.name in offered
        )
        if not calls:
            wanted = ", ".join(call.name for call in self._tool_calls)
            raise HostError(
                f"prompt: CHIDORI_TEST_LLM_TOOL_CALL calls {wanted}, but this prompt offers only {', '.join(offered)}; "
                "name one of these there, or unset it"
            )
        return calls


def _usage(request: CompletionRequest, output_tokens: int) -> dict[str, int]:
    sent = [request.text, request.system or "", *(message.content for message in request.messages)]
    return {"input_tokens": sum(len(text.split()) for text in sent), "output_tokens": output_tokens}
