"""Pages of other origins: who may read, and preflights."""

import pytest
from aiohttp import web

from chidori_actors.front_door.refusal import Refused
from chidori_actors.settings import Settings

from .small_app import bare, routed, served

PAGE = "https://app.example.com"
ASKS = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,prefer",
}
ALLOW = "Access-Control-Allow-Origin"


async def test_without_origins_no_page_may_read() -> None:
    async with served(routed(Settings())) as send:
        told = await send("GET", "/sessions", headers={"Origin": PAGE})
    assert not [name for name in told.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize(("origins", "allowed"), [(("*",), "*"), (("http://other", PAGE), PAGE)])
async def test_an_allowed_page_may_read(origins: tuple[str, ...], allowed: str) -> None:
    async with served(routed(Settings(cors_origins=origins))) as send:
        told = await send("GET", "/sessions", headers={"Origin": PAGE})
    assert told.headers[ALLOW] == allowed
    assert "Last-Event-ID" in told.headers["Access-Control-Expose-Headers"]
    assert ("Vary" in told.headers) == (allowed != "*")


@pytest.mark.parametrize("origin", ["https://app.example.com.evil", "http://app.example.com", "null", PAGE + ":8443"])
async def test_another_page_may_not(origin: str) -> None:
    async with served(routed(Settings(cors_origins=(PAGE,)))) as send:
        told = await send("GET", "/sessions", headers={"Origin": origin})
        preflight = await send("OPTIONS", "/sessions", headers={**ASKS, "Origin": origin})
    assert ALLOW not in told.headers
    assert (preflight.status, ALLOW in preflight.headers) == (204, False)
    assert told.headers["Vary"] == "Origin"


async def test_a_preflight_needs_no_key_and_is_granted() -> None:
    async with served(routed(Settings(cors_origins=(PAGE,), api_key="secret"))) as send:
        for path in ("/sessions", "/sessions/some-id/stream", "/event"):
            told = await send("OPTIONS", path, headers=ASKS)
            assert (told.status, told.headers[ALLOW]) == (204, PAGE)
            assert told.headers["Access-Control-Allow-Methods"] == "POST"
            assert told.headers["Access-Control-Allow-Headers"] == "authorization,prefer"
        assert (await send("OPTIONS", "/event", headers={"Origin": PAGE})).status == 401


async def test_refusals_can_be_read_too() -> None:
    async with served(routed(Settings(cors_origins=("*",), api_key="secret"))) as send:
        told = await send("GET", "/sessions", headers={"Origin": PAGE})
    assert (told.status, told.headers[ALLOW]) == (401, "*")


async def test_streams_can_be_read_too() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"id: 1\n\n")
        return response

    async def fault(request: web.Request) -> web.StreamResponse:
        raise Refused(409, "no")

    app = bare(Settings(cors_origins=(PAGE,)))
    app.router.add_get("/stream", stream)
    app.router.add_get("/fault", fault)
    async with served(app) as send:
        for path, status in (("/stream", 200), ("/fault", 409)):
            told = await send("GET", path, headers={"Origin": PAGE})
            assert (told.status, told.headers[ALLOW]) == (status, PAGE)


async def test_a_page_of_another_origin_cannot_start_work_which_needs_no_preflight() -> None:
    plain = {"Content-Type": "text/plain"}
    async with served(routed(Settings(cors_origins=("http://ally",)))) as send:
        refused = await send("POST", "/sessions", data="{}", headers={**plain, "Origin": PAGE})
        assert refused.status == 403
        assert PAGE in refused.json["error"]
        assert (await send("POST", "/hook", data="{}", headers={**plain, "Origin": PAGE})).status == 403
        for origin in (send.url, "http://ally"):
            assert (await send("POST", "/sessions", data="{}", headers={**plain, "Origin": origin})).status == 200
        assert (await send("GET", "/sessions", headers={"Origin": PAGE})).status == 200
