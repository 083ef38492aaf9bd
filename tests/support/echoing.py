"""A server that gives back what it was sent, in many notations."""

import base64
import html
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, unquote_plus

from aiohttp import BasicAuth, web

from .http_server import LocalServer, serve


class Echo:
    """Answers ``/WHERE`` with all secrets that it has ever been sent; ``/keep`` takes them and says nothing."""

    def __init__(self, *secrets: str) -> None:
        self._secrets = secrets
        self.seen: set[str] = set()

    async def handle(self, request: web.Request) -> web.Response:
        sent = await _sent(request)
        self.seen |= {secret for secret in self._secrets if secret in sent}
        text = " ".join(sorted(self.seen))
        line = quote(text, safe=" /+=")
        match request.path.rpartition("/")[2]:
            case "text" | "refused" | "wait":
                return web.Response(
                    text=f"{text} {html.escape(text)} {json.dumps(text)} {json.dumps(json.dumps(text))}"
                )
            case "json":
                return web.json_response({text: [text, {"again": text}]})
            case "encoded":
                data = text.encode()
                forms = [base64.b64encode(b"x" * start + data).decode() for start in range(3)]
                safe = base64.urlsafe_b64encode(data).decode()
                return web.Response(text=f"{forms} {safe} {data.hex()} {quote(text)} {quote(text, safe='').lower()}")
            case "headers":
                headers = {"X-Echo": line, "Set-Cookie": f"sid={quote(text, safe='')}", "Location": f"/{line}"}
                return web.Response(headers=headers, reason=line)
            case "error":
                return web.Response(status=401, text=f"Incorrect API key provided: {text}", reason=line)
            case "redirect":
                return web.Response(status=302, headers={"Location": f"/refused?token={quote(text, safe='')}"})
            case "broken":
                return web.Response(status=302, headers={"Location": f"ftp://{quote(text, safe='')}@host/"})
            case _:
                return web.Response(text="kept")


async def _sent(request: web.Request) -> str:
    body = (await request.read()).decode()
    parts = [*request.headers.values(), *request.query.values(), body, unquote_plus(body)]
    if request.content_type == "application/json":
        parts += json.loads(body).values()
    if (authorization := request.headers.get("Authorization", "")).startswith("Basic "):
        parts.append(BasicAuth.decode(authorization, "utf-8").password)
    return "\n".join(map(str, parts))


@asynccontextmanager
async def echoing(*secrets: str) -> AsyncIterator[tuple[Echo, LocalServer]]:
    echo = Echo(*secrets)
    async with serve(echo.handle) as server:
        yield echo, server
