"""The seam between ``prompt`` and whatever answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from .function import ToolDefinition


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool. ``arguments`` is what it gave for them: JSON text, if it made no mistake."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class AssistantMessage:
    """What the model said in an earlier turn; ``content`` is its text."""

    content: str
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolMessage:
    """What a tool call of an earlier turn gave; ``is_error`` says that it failed and ``content`` why."""

    tool_call_id: str
    content: str
    is_error: bool = False


Message = AssistantMessage | ToolMessage


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One request to a model. ``json_object`` asks for a JSON object where the provider knows how.

    ``tools`` are those that the model may call; ``messages`` is the conversation after ``text``.
    """

    model: str
    text: str
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    json_object: bool = False
    tools: tuple[ToolDefinition, ...] = ()
    messages: tuple[Message, ...] = ()


TEST_PROVIDER = "test"
"""The name of the provider of dry runs, whose answers cost nothing."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's whole reply. ``provider`` names who gave it, without credentials.

    ``blocks`` are its texts and tool calls in the order received. ``token_usage`` has the fields of a call record,
    or is None when the provider did not say; ``finish_reason`` is OpenAI's (``stop``, ``length``, …).
    """

    blocks: tuple[str | ToolCall, ...]
    provider: str
    finish_reason: str | None = None
    token_usage: Mapping[str, int] | None = None

    @property
    def text(self) -> str:
        """All text of the reply, ``""`` when there is none."""
        return "".join(block for block in self.blocks if isinstance(block, str))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that the model wants called."""
        return tuple(block for block in self.blocks if isinstance(block, ToolCall))


class ProviderError(Exception):
    """A provider did not answer. ``str()`` is a sentence that names it; no API key is in it.

    ``status`` is the HTTP status, None when there was no answer at all. ``retry_after_s`` is what the
    provider asked for, in seconds. ``passing`` says that the same request may succeed later.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        status: int | None = None,
        retry_after_s: float | None = None,
        passing: bool = False,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.status = status
        self.retry_after_s = retry_after_s
        self.passing = passing


class Provider(Protocol):
    """Something that answers prompts."""

    async def complete(self, request: CompletionRequest, on_delta: Callable[[str], None]) -> Completion:
        """Make one request, giving its text to ``on_delta`` as it comes. Cancelling closes the connection.

        Raises:
            ProviderError: the provider refused, failed or could not be reached.
            HostError: the request could not be made; nothing was sent.
        """
        ...
