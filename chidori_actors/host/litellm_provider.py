"""Real models, through litellm: always streamed, one HTTP request a call, no retries of litellm's own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from .function import HostError
from .litellm_errors import provider_error, provider_secrets
from .litellm_library import LitellmLibrary
from .openai_chat import StreamedReply, chat_messages, chat_tools
from .providers import Completion, CompletionRequest

_TIMEOUT_S = 600.0  # between two pieces of an answer; reasoning models are silent for minutes
_JSON_OR_TOOLS = ("gemini", "vertex_ai")
"""Providers that refuse a request which has tools and asks for JSON too."""
_WAYS_OUT = (
    "set LITELLM_API_URL and LITELLM_API_KEY for an OpenAI-compatible endpoint, "
    "or CHIDORI_TEST_LLM_RESPONSE to a fixed answer for a dry run"
)


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a request goes: ``label`` names it to the user, ``options`` to litellm."""

    label: str
    options: Mapping[str, str]


class LitellmProvider:
    """Any model that litellm knows, or the one endpoint of ``LITELLM_API_URL``."""

    def __init__(self, library: LitellmLibrary, environ: Mapping[str, str]) -> None:
        self._library = library
        self._environ = environ

    async def complete(self, request: CompletionRequest, on_delta: Callable[[str], None]) -> Completion:
        """See ``Provider``. A model whose provider is not configured is a ``HostError``."""
        try:
            litellm = await self._library.module()
        except ImportError as error:
            raise HostError(f"prompt: {error}") from error
        target = self._target(litellm, request.model)
        try:
            return await _stream(litellm, request, target, on_delta)
        except Exception as error:  # litellm lets many kinds through; each means that this call failed
            secrets = provider_secrets(self._environ)
            raise provider_error(error, provider=target.label, secrets=secrets) from error

    def _target(self, litellm: Any, model: str) -> _Target:
        url = self._environ.get("LITELLM_API_URL")
        if url:
            # "custom_openai" is litellm's name for /chat/completions as it stands: "openai" would rename
            # parameters for models it knows, and send some of them to /responses. Without a key of its own
            # the endpoint must not be given OPENAI_API_KEY, which litellm would fall back to.
            key = self._environ.get("LITELLM_API_KEY") or "none"
            return _Target(
                f"openai ({_without_credentials(url)})",
                {"model": f"custom_openai/{model}", "api_base": url, "api_key": key},
            )
        provider = self._provider_of(litellm, model)
        options = {"model": model}
        if own_key := self._environ.get(f"{provider.upper()}_API_KEY"):
            options["api_key"] = own_key
        else:
            self._require_keys(litellm, model, provider)
        return _Target(provider, options)

    def _provider_of(self, litellm: Any, model: str) -> str:
        try:
            provider = litellm.get_llm_provider(model)[1]
        except litellm.exceptions.BadRequestError as error:
            raise HostError(
                f"prompt: no provider is known for the model {model!r}; "
                f"name it as provider/model (openai/{model}), {_WAYS_OUT}",
                data={"model": model},
            ) from error
        return str(provider)

    def _require_keys(self, litellm: Any, model: str, provider: str) -> None:
        """Stop a call that lacks its API key; clouds that also take other credentials are let through."""
        missing: list[str] = litellm.validate_environment(model)["missing_keys"]
        keys = [name for name in missing if name.endswith("_API_KEY")]
        if not keys or provider == "azure" or any(self._environ.get(name) for name in missing):
            return
        raise HostError(
            f"prompt: no provider is configured for the model {model!r}: set {' or '.join(keys)} "
            f"for {provider}, {_WAYS_OUT}",
            data={"model": model, "provider": provider},
        )


async def _stream(
    litellm: Any, request: CompletionRequest, target: _Target, on_delta: Callable[[str], None]
) -> Completion:
    stream = await litellm.acompletion(**_arguments(litellm, request, target))
    reply = StreamedReply()
    finish_reason: str | None = None
    usage: Any = None
    try:
        async for chunk in stream:
            usage = getattr(chunk, "usage", None) or usage
            if not chunk.choices:
                continue
            finish_reason = chunk.choices[0].finish_reason or finish_reason
            if text := reply.add(chunk.choices[0].delta):
                on_delta(text)
        # litellm counts tokens itself when the provider sent no usage; only the chunks as received tell.
        reported = any(getattr(chunk, "usage", None) for chunk in stream.chunks)
    finally:
        await stream.aclose()
    return Completion(reply.blocks(), target.label, finish_reason, _token_usage(usage) if reported else None)


def _arguments(litellm: Any, request: CompletionRequest, target: _Target) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        **target.options,
        "messages": chat_messages(request),
        "stream": True,
        "stream_options": {"include_usage": True},
        "timeout": _TIMEOUT_S,
        "num_retries": 0,
        "max_retries": 0,
    }
    if request.max_tokens is not None:
        arguments["max_tokens"] = request.max_tokens
    if request.temperature is not None:
        arguments["temperature"] = request.temperature
    if request.tools:
        arguments["tools"] = chat_tools(request.tools)
    if request.json_object and not (request.tools and target.label in _JSON_OR_TOOLS):
        supported = litellm.get_supported_openai_params(target.options["model"]) or ()
        if "response_format" in supported:
            arguments["response_format"] = {"type": "json_object"}
    return arguments


def _token_usage(usage: Any) -> dict[str, int] | None:
    if usage is None:
        return None
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(usage, "cache_read_input_tokens", None) or getattr(details, "cached_tokens", None)
    written = getattr(usage, "cache_creation_input_tokens", None)
    counted = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    if cached:
        counted["cache_read_input_tokens"] = cached
    if written:
        counted["cache_creation_input_tokens"] = written
    return counted


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
