"""The server that the front door is compared with: a bare aiohttp handler that reads JSON and only answers."""

import asyncio
import sys

import orjson
from aiohttp import web

# As long as the view of a session of the trivial agent.
_VIEW = {"status": "completed", "input": {"calls": 1}, "output": {"made": 1}, "padding": "x" * 380}


async def _answer(request: web.Request) -> web.Response:
    orjson.loads(await request.read())
    return web.Response(status=201, body=orjson.dumps(_VIEW), content_type="application/json")


async def _health(request: web.Request) -> web.Response:
    return web.Response(body=b'{"status":"ok"}', content_type="application/json")


async def _serve() -> None:
    app = web.Application()
    app.router.add_post("/sessions", _answer)
    app.router.add_get("/health", _health)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    print(f"Serving nothing at http://127.0.0.1:{port}", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
