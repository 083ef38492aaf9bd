"""``http``: one request to the outside, its answer as data."""

import asyncio
import codecs
from typing import TYPE_CHECKING, Any

import orjson

from .. import exact_json
from .foreign_json import recordable_json
from .function import HostCall, HostError, HostFunction, HostResult, HostServices, JsonObject
from .http_request import IDEMPOTENT_METHODS, prepare
from .secrets import Secrets
from .unicode import without_lone_surrogates

if TYPE_CHECKING:
    from .http_client import HttpResponse
    from .http_request import HttpRequest

_DEFAULT_TIMEOUT_MS = 30_000
# Python decodes these too, but no server means them, and the time of some grows with the square of the length.
_NO_CHARSETS = {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined"}


def _upper(method: object) -> object:
    return "GET" if method is None else method.upper() if isinstance(method, str) else method


def _record_args(args: JsonObject, default_model: str | None) -> JsonObject:
    recorded: JsonObject = {
        "url": args.get("url"),
        "method": _upper(args.get("method")),
        "headers": args.get("headers") or {},
        "body": args.get("body"),
        "params": args.get("params") or {},
    }
    for name in ("timeout_ms", "auth"):
        if args.get(name) is not None:
            recorded[name] = args[name]
    return recorded


def _timeout_ms(args: JsonObject) -> float:
    timeout = args.get("timeout_ms", _DEFAULT_TIMEOUT_MS)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise HostError("http: timeoutMs must be a number of milliseconds greater than 0")
    return timeout


async def _run(call: HostCall, services: HostServices) -> HostResult:
    from .http_client import HttpClient, TransportError  # aiohttp costs 0.15 s, which other runs save

    timeout_ms = _timeout_ms(call.args)
    request = prepare(call.args, call.key, services.secrets)
    client = services.resources.get(HttpClient, HttpClient)
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            response = await client.exchange(
                request,
                services.settings.http_allow_hosts,
                services.settings.http_max_body_bytes,
                lambda hop: _check_redirect(hop, call, services),
            )
    except TimeoutError:
        return _failed(f"timed out after {timeout_ms:g} ms", services.secrets)
    except TransportError as error:
        return _failed(str(error), services.secrets)
    except HostError as error:  # its text shows where a redirect led, and the server may have put a secret in there
        raise HostError(services.secrets.redact(str(error)), name=error.name) from None
    return HostResult(_answer(response, services.secrets))


def _check_redirect(hop: "HttpRequest", call: HostCall, services: HostServices) -> None:
    """An open redirect of an allowed host must not lead where policy would not let the agent go."""
    refusal = services.refusal("http", {**call.args, "url": hop.url.text, "method": hop.method})
    if refusal is not None:
        raise HostError(f"{refusal}; the request was redirected to {hop.url.text}", name="PolicyError")


def _failed(error: str, secrets: Secrets) -> HostResult:
    text = secrets.redact(without_lone_surrogates(error))
    return HostResult(exact_json.dumps({"status": 0, "headers": {}, "body": "", "error": text}))


def _answer(response: "HttpResponse", secrets: Secrets) -> bytes:
    headers: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.lower(), secrets.redact(without_lone_surrogates(value))
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    body = secrets.redact_json(_body(response))
    return exact_json.dumps({"status": response.status, "headers": headers, "body": body})


def _body(response: "HttpResponse") -> Any:
    text = _decoded(response.body, response.charset)
    kind = response.content_type.lower()
    if kind != "application/json" and not kind.endswith("+json"):
        return text
    try:
        value = _parsed(text)
        exact_json.dumps(value)  # what is nested too deeply to be recorded stays text
    except (ValueError, orjson.JSONEncodeError):
        return text
    return value


def _parsed(text: str) -> Any:
    try:
        return exact_json.loads(text)
    except orjson.JSONDecodeError:
        return exact_json.loads(recordable_json(text))


def _usable(charset: str | None) -> str:
    return "utf-8" if charset is None or codecs.lookup(charset).name in _NO_CHARSETS else charset


def _decoded(body: bytearray, charset: str | None) -> str:
    try:
        text = body.decode(_usable(charset), "replace")
    except (LookupError, UnicodeError):  # a charset nobody knows
        text = body.decode("utf-8", "replace")
    return without_lone_surrogates(text).removeprefix("\ufeff")


FUNCTION = HostFunction(
    name="http",
    run=_run,
    record_args=_record_args,
    idempotent=lambda args: _upper(args.get("method")) in IDEMPOTENT_METHODS,
    policy_target=lambda args: "http",
)
