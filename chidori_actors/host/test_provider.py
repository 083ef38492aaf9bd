"""The provider of dry runs (``CHIDORI_TEST_LLM_RESPONSE``): a fixed text for any model, and no network."""

import asyncio
from collections.abc import Callable

from .providers import TEST_PROVIDER, Completion, CompletionRequest

_DELTAS = 4


class FixedTextProvider:
    """Answers every prompt with ``text``; a token is a word."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def complete(self, request: CompletionRequest, on_delta: Callable[[str], None]) -> Completion:
        """The text, streamed in up to four pieces with the event loop running in between."""
        size = max(1, -(-len(self._text) // _DELTAS))
        for start in range(0, len(self._text), size):
            on_delta(self._text[start : start + size])
            await asyncio.sleep(0)
        sent = len(request.text.split()) + len((request.system or "").split())
        usage = {"input_tokens": sent, "output_tokens": len(self._text.split())}
        return Completion(self._text, TEST_PROVIDER, "stop", usage)
