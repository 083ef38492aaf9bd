"""What is reached by which path: the server's own routes, nothing, or the agent."""

import re

import pytest

from chidori_actors.front_door.route_table import ROUTES
from chidori_actors.settings import Settings

from .small_app import routed, served


async def test_every_route_reaches_its_handler() -> None:
    async with served(routed(Settings())) as send:
        for route in ROUTES:
            told = await send(route.method, re.sub(r"{\w+}", "some:id", route.path))
            assert told.status == 200
            if route.handler == "openapi":
                assert told.json["openapi"] == "3.1.0"
            else:
                assert told.json == {
                    "reached": route.handler,
                    **dict.fromkeys(re.findall(r"{(\w+)}", route.path), "some:id"),
                }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/sessions", "GET, HEAD, POST"),
        ("GET", "/sessions/stream", "POST"),
        ("DELETE", "/sessions/some-id", "GET, HEAD"),
        ("GET", "/sessions/some-id/resume", "POST"),
        ("HEAD", "/sessions/some-id/stream", "GET"),
        ("POST", "/health", "GET, HEAD"),
        ("OPTIONS", "/sessions", "GET, HEAD, POST"),
        ("PURGE", "/openapi.json", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(method: str, path: str, allowed: str) -> None:
    async with served(routed(Settings())) as send:
        told = await send(method, path)
    assert (told.status, told.headers["Allow"]) == (405, allowed)
    if method != "HEAD":
        assert told.json == {"error": f"{path} takes {allowed}"}


@pytest.mark.parametrize(
    "path", ["/sessions/", "/sessions/a/b", "/sessions/a/resume/", "/sessions//", "/sessions/a/b/c"]
)
async def test_an_unknown_path_below_sessions_is_nowhere(path: str) -> None:
    async with served(routed(Settings())) as send:
        for method in ("GET", "POST", "DELETE"):
            told = await send(method, path)
            assert (told.status, list(told.json)) == (404, ["error"])


@pytest.mark.parametrize(
    "path", ["/", "/webhook", "/session", "/sessionsx", "/github/pull", "/health/deep", "/openapi"]
)
async def test_any_other_path_is_an_event(path: str) -> None:
    async with served(routed(Settings())) as send:
        for method in ("GET", "POST", "DELETE", "OPTIONS", "LINK"):
            assert (await send(method, path)).json["reached"] == "outside"


async def test_head_is_answered_where_get_is() -> None:
    async with served(routed(Settings())) as send:
        told = await send("HEAD", "/health")
    assert (told.status, told.body) == (200, b"")
