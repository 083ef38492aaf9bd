"""The API key: which paths need it, and what a request without it is told."""

from dataclasses import replace

import pytest

from chidori_actors.front_door.route_table import ROUTES
from chidori_actors.settings import Settings

from .small_app import Entries, routed, served

KEY = "secret-key"
SETTINGS = Settings(api_key=KEY)
RIGHT = {"Authorization": f"Bearer {KEY}"}


async def test_every_route_but_health_needs_the_key() -> None:
    async with served(routed(SETTINGS)) as send:
        for route in ROUTES:
            path = route.path.replace("{seq}", "1")
            path = path.replace("{id}", "some-id").replace("{other}", "other-id")
            without, with_key = await send(route.method, path), await send(route.method, path, headers=RIGHT)
            assert without.status == (200 if path == "/health" else 401), path
            assert with_key.status == 200, path


async def test_a_refusal_says_which_scheme_is_wanted() -> None:
    async with served(routed(SETTINGS)) as send:
        told = await send("GET", "/sessions")
    assert told.json == {"error": "missing or invalid bearer token"}
    assert told.headers["WWW-Authenticate"] == "Bearer"
    assert told.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        f"Basic {KEY}",
        KEY,
        "Bearer \xe9",
    ],
)
async def test_a_wrong_token_is_refused(header: str) -> None:
    async with served(routed(SETTINGS)) as send:
        told = await send("GET", "/sessions", headers={"Authorization": header})
    assert told.status == 401


async def test_the_scheme_is_read_in_any_case() -> None:
    async with served(routed(SETTINGS)) as send:
        assert (await send("GET", "/sessions", headers={"Authorization": f"bearer {KEY}"})).status == 200


async def test_without_a_key_everybody_may_come_in() -> None:
    async with served(routed(Settings())) as send:
        assert (await send("GET", "/sessions")).status == 200
        assert (await send("POST", "/any/event")).json["reached"] == "outside"


async def test_an_event_path_needs_the_key_unless_it_has_an_entry() -> None:
    async with served(routed(SETTINGS, Entries(("/github",)))) as send:
        assert (await send("POST", "/github")).json["reached"] == "outside"
        assert (await send("POST", "/other")).status == 401
        assert (await send("POST", "/other", headers=RIGHT)).json["reached"] == "outside"


async def test_an_entry_opens_none_of_the_servers_own_paths() -> None:
    entries = Entries(("/sessions", "/sessions/unknown/x", "/metrics"))
    async with served(routed(SETTINGS, entries)) as send:
        for path in entries.paths:
            assert (await send("GET", path)).status == 401


async def test_unknown_paths_and_methods_do_not_show_before_the_key() -> None:
    async with served(routed(SETTINGS)) as send:
        assert (await send("DELETE", "/sessions")).status == 401
        assert (await send("GET", "/sessions/a/unknown")).status == 401


async def test_the_key_is_not_in_the_settings_text() -> None:
    assert KEY not in repr(replace(SETTINGS, environ={"CHIDORI_API_KEY": KEY}))


NAMES = ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8080"]
FORGED = [
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "[::2]:8080",
    "[::1",
    "",
]


@pytest.mark.parametrize("host", NAMES)
async def test_without_a_key_the_server_is_there_under_this_machine_s_names(host: str) -> None:
    async with served(routed(Settings())) as send:
        assert (await send("POST", "/sessions", headers={"Host": host})).status == 200


@pytest.mark.parametrize("host", FORGED)
@pytest.mark.parametrize("path", ["/sessions", "/sessions/some-id/cancel", "/console/", "/metrics", "/openapi.json"])
async def test_a_name_that_was_made_to_lead_here_is_refused(host: str, path: str) -> None:
    async with served(routed(Settings())) as send:
        for method in ("GET", "POST"):
            # The page's origin is the one that the browser believes to talk to.
            told = await send(method, path, headers={"Host": host, "Origin": f"http://{host}"})
            assert told.status == 403, told.body
            assert "localhost" in told.json["error"]
            assert "CHIDORI_API_KEY" in told.json["hint"]


@pytest.mark.parametrize("host", FORGED[:1])
async def test_events_health_and_whoever_has_the_key_may_come_by_any_name(host: str) -> None:
    named = {"Host": host}
    async with served(routed(Settings())) as send:
        assert (await send("POST", "/github", headers=named)).json["reached"] == "outside"
        assert (await send("GET", "/health", headers=named)).status == 200
    async with served(routed(SETTINGS)) as send:
        assert (await send("GET", "/sessions", headers={**RIGHT, **named})).status == 200
        assert (await send("GET", "/console/", headers=named)).status == 200
