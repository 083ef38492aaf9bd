"""A run watched while it goes on: through a reload of the page, and through the death and return of the server."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from playwright.async_api import Browser, Page, expect

from tests.console.chromium import tab_in
from tests.front_door.small_app import Client
from tests.support.agents import write_agent
from tests.support.examples import asking
from tests.support.http_server import serve
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.server import server_process

pytestmark = pytest.mark.asyncio(loop_scope="session")

AGENT = """
export async function agent({ around }, chidori) {
  const first = await chidori.http(`${around}/first`);
  const both = await chidori.parallel(["left", "right"].map((side) => () => chidori.http(`${around}/${side}`)));
  const last = await chidori.http(`${around}/last`);
  return [first, ...both, last].map((answer) => answer.body.at);
}
"""
STREAMING = 'export async function agent(input, chidori) { return await chidori.prompt("Tell a story"); }'
AWAY = (
    r"net::ERR_CONNECTION_REFUSED",
    r"net::ERR_CONNECTION_RESET",
    r"net::ERR_EMPTY_RESPONSE",
    r"net::ERR_INCOMPLETE",
)


class Gates:
    """Answers a path once it is let through."""

    def __init__(self) -> None:
        self.open: dict[str, asyncio.Event] = {
            f"/{name}": asyncio.Event() for name in ("first", "left", "right", "last")
        }
        self.asked: Counter[str] = Counter()

    async def __call__(self, request: web.Request) -> web.Response:
        self.asked[request.path] += 1
        await self.open[request.path].wait()
        return web.json_response({"at": request.path})


async def test_a_reload_shows_the_same_and_a_server_that_died_and_came_back_goes_on_by_itself(
    browser: Browser, tmp_path: Path
) -> None:
    gates = Gates()
    environ = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}
    async with (
        serve(gates) as around,
        server_process(write_agent(tmp_path, AGENT), environ) as server,
        ClientSession() as session,
    ):
        client = Client(server.url, session)
        body = {"input": {"around": around.url}, "session_id": "run"}
        told = await client("POST", "/sessions", json=body, headers={"Prefer": "respond-async"})
        assert told.status == 202
        async with tab_in(browser, f"{server.url}/console/", expected=AWAY) as page:
            await expect(page.locator("tr.run .badge")).to_have_text("running")
            await page.locator("tr.run .run-link").click()
            await _stands(page, running=1)
            gates.open["/first"].set()
            await _stands(page, running=3, done=1, lanes=3)

            await page.reload()
            await _stands(page, running=3, done=1, lanes=3)
            gates.open["/left"].set()
            await _stands(page, running=2, done=2, lanes=3)

            await server.kill()
            notice = page.locator(".offline-bar")
            await expect(notice).to_be_visible()
            await expect(notice).to_contain_text("This page goes on by itself")
            await _stands(page, running=2, done=2, lanes=3)

            await server.start()
            await expect(notice).to_be_hidden()
            await _stands(page, running=2, done=2, lanes=3)
            gates.open["/right"].set()
            gates.open["/last"].set()
            await expect(page.locator(".run-top .badge")).to_have_text("completed")
            await _stands(page, running=0, done=5, lanes=3)
            await expect(page.locator(".run-values summary", has_text="Output")).to_contain_text(
                '["/first","/left","/right","/last"]'
            )
        # What was answered before is not asked again.
        assert (gates.asked["/first"], gates.asked["/left"], gates.asked["/last"]) == (1, 1, 1)


async def test_a_server_that_is_away_at_first_is_waited_for(browser: Browser, tmp_path: Path) -> None:
    async with (
        server_process(write_agent(tmp_path, STREAMING), {}) as server,
        ClientSession() as session,
        tab_in(browser, f"{server.url}/console/", expected=AWAY) as page,
    ):
        await expect(page.get_by_text("There are no runs in this store yet.")).to_be_visible()
        await server.kill()
        await expect(page.locator(".offline-bar")).to_be_visible()
        await server.start()
        await Client(server.url, session)("POST", "/sessions", json={"input": {}})
        await expect(page.locator("tr.run .badge")).to_have_text("completed")
        await expect(page.locator(".offline-bar")).to_be_hidden()


async def test_a_streamed_answer_is_read_along_and_its_run_cancelled(browser: Browser, tmp_path: Path) -> None:
    async with OpenAIServer() as model, ClientSession() as session:
        model.script.append(Scripted(content="Once upon a time there was a ship.", hold_after=3))
        async with server_process(write_agent(tmp_path, STREAMING), asking(model)) as server:
            client = Client(server.url, session)
            body = {"input": {}, "session_id": "run"}
            await client("POST", "/sessions", json=body, headers={"Prefer": "respond-async"})
            async with tab_in(browser, f"{server.url}/console/runs/run?call=1") as page:
                await expect(page.locator("call-detail")).to_contain_text("Once upon a time there")
                await expect(page.locator("call-detail")).to_contain_text("Answer, as it comes")
                await page.get_by_role("button", name="Cancel run").click()
                dialog = page.get_by_role("dialog")
                await dialog.get_by_label("Reason").fill("too long <b>a story</b>")
                await dialog.get_by_role("button", name="Cancel run").click()
                await expect(page.locator(".run-top .badge")).to_have_text("cancelled")
                await expect(page.locator(".run-error")).to_contain_text("too long <b>a story</b>")
                await expect(page.locator("call-detail .call-summary .badge")).to_have_text("cancelled")
            async with asyncio.timeout(10):
                await model.disconnected.wait()


async def test_one_branch_is_cancelled_with_a_reason_and_the_others_go_on(browser: Browser, tmp_path: Path) -> None:
    source = """
    export async function agent({ around }, chidori) {
      const ask = (side) => async () => (await chidori.callAgent("side.ts", { url: `${around}/${side}` }));
      const all = await chidori.parallel([ask("left"), ask("right")], { settle: true });
      return all.map((each) => each.value ?? each.reason.message);
    }"""
    side = "export async function agent({ url }, chidori) { return (await chidori.http(url)).body.at; }"
    gates = Gates()
    (tmp_path / "side.ts").write_text(side, encoding="utf-8")
    async with (
        serve(gates) as around,
        server_process(write_agent(tmp_path, source), {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}) as server,
        ClientSession() as session,
    ):
        client = Client(server.url, session)
        body = {"input": {"around": around.url}, "session_id": "run"}
        await client("POST", "/sessions", json=body, headers={"Prefer": "respond-async"})
        async with tab_in(browser, f"{server.url}/console/runs/run/calls") as page:
            rows = page.locator("call-list tbody tr[data-index]")
            await expect(rows).to_have_count(5)
            await rows.filter(has_text="call_agent").filter(has_text="1/b1").click()
            await page.get_by_role("button", name="Cancel this part").click()
            await page.get_by_role("dialog").get_by_label("Reason").fill("not the right one")
            await page.get_by_role("dialog").get_by_role("button", name="Cancel this part").click()
            await expect(rows.filter(has_text="not the right one").first).to_be_visible()
            await expect(page.locator(".run-top .badge")).to_have_text("running")
            gates.open["/left"].set()
            await expect(page.locator(".run-top .badge")).to_have_text("completed")
        output = (await client("GET", "/sessions/run")).json["output"]
        assert output[0] == "/left"
        assert "not the right one" in output[1]


async def _stands(page: Page, *, running: int, done: int = 0, lanes: int = 1) -> None:
    legend = page.locator(".tl-legend")
    if running:
        await expect(legend).to_contain_text(f"{running} running")
    await expect(legend).to_contain_text(f"{done} done")
    await expect(page.locator(".tl-label .tl-name")).to_have_count(lanes)
