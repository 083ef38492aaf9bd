"""litellm's exceptions as one kind of error that says who failed, how, and whether it may pass."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from ..provider_keys import holds_credentials
from .providers import ProviderError

_LONGEST_WAIT_S = 60.0
_LONGEST_MESSAGE = 500
_SECRET_NAME = re.compile(r"(API_KEY|TOKEN|SECRET|SECRET_ACCESS_KEY|PASSWORD|CREDENTIALS)$")
_SHORTEST_SECRET = 6
_WRAPPERS = re.compile(r"^(?:(?:litellm\.)?(?:\w+Exception )?\w+(?:Error|Exception)(?:: | - ))+")
_APPENDIX = re.compile(
    r"\s*(?:Original exception: |LiteLLM Retried: |Traceback \(most recent|This looks like a bug in).*$",
    re.DOTALL,
)
_BYTES = re.compile(r"^b(['\"])(.*)\1$", re.DOTALL)


def provider_error(error: Exception, *, provider: str, secrets: Iterable[str] = ()) -> ProviderError:
    """What an exception of litellm means. ``provider`` is how the provider is named to the user."""
    detail = _provider_message(error, secrets)
    headers = getattr(error, "litellm_response_headers", None)
    status = getattr(error, "status_code", None)
    if headers is None:
        # Without an answer there is no status; the one that litellm gives is its own invention.
        return ProviderError(
            f"{provider} {_what_happened(error)}: {detail}",
            provider=provider,
            passing=status is not None and (status >= 500 or status == 408) and not _caused_by(error, ImportError),
        )
    return ProviderError(
        f"{provider} answered {status}: {detail}",
        provider=provider,
        status=status,
        retry_after_s=retry_after_seconds(headers.get("retry-after"), datetime.now(UTC)),
        passing=status is not None and (status >= 500 or status == 429),
    )


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """The seconds that a ``Retry-After`` header asks for (a number or an HTTP date), at most 60, or None."""
    if value is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return min(float(value), _LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), _LONGEST_WAIT_S)


def provider_secrets(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Values of the environment that must not be in an error text, the longest first."""
    named = {value for name, value in environ.items() if _SECRET_NAME.search(name) or holds_credentials(name)}
    found = {value for value in named | _passwords(environ) if len(value) >= _SHORTEST_SECRET}
    return tuple(sorted(found, key=len, reverse=True))


def _passwords(environ: Mapping[str, str]) -> set[str]:
    """The password in the endpoint's URL, as it stands there and as it is sent."""
    try:
        given = urlsplit(environ.get("LITELLM_API_URL", "")).password or ""
    except ValueError:
        return set()
    return {given, unquote(given)}


def redact(text: str, secrets: Iterable[str]) -> str:
    """``text`` with every one of ``secrets`` replaced."""
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    return text


def _what_happened(error: Exception) -> str:
    names = {kind.__name__ for kind in type(error).__mro__}
    if "APITimeoutError" in names:
        return "did not answer in time"
    if "MidStreamFallbackError" in names:
        return "broke off its answer"
    if "BadRequestError" in names or "UnsupportedParamsError" in names:
        return "cannot take this request"
    return "could not be asked"


def _provider_message(error: Exception, secrets: Iterable[str]) -> str:
    # Before anything is cut off or folded: half a secret would not be known as one.
    text = _APPENDIX.sub("", _WRAPPERS.sub("", redact(str(error), secrets)))
    in_bytes = _BYTES.match(text)
    if in_bytes:
        text = in_bytes.group(2)
    text = " ".join(_message_in_json(text).split())
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " …"


def _message_in_json(text: str) -> str:
    """The message of a JSON error body (``{"error": {"message": …}}`` and its kin), else the text itself."""
    try:
        body: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    while isinstance(body, dict):
        body = body.get("error") or body.get("message")
    return body if isinstance(body, str) else text


def _caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    for _ in range(20):
        if error is None:
            return False
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False
