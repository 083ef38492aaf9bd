"""The seam between ``prompt`` and whatever answers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One request to a model. ``json_object`` asks for a JSON object where the provider knows how."""

    model: str
    text: str
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    json_object: bool = False


TEST_PROVIDER = "test"
"""The name of the provider of dry runs, whose answers cost nothing."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's whole reply. ``provider`` names who gave it, without credentials.

    ``token_usage`` has the fields of a call record, or is None when the provider did not say; ``finish_reason`` is
    OpenAI's (``stop``, ``length``, …).
    """

    text: str
    provider: str
    finish_reason: str | None = None
    token_usage: Mapping[str, int] | None = None


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
