"""A webhook delivery that failed: found, understood, replayed, its past edited, forked, watched and compared."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest
from aiohttp import ClientSession, web
from playwright.async_api import Browser, Page, expect

from tests.console.chromium import tab_in
from tests.front_door.small_app import Client
from tests.support.agents import write_agent
from tests.support.examples import asking
from tests.support.http_server import LocalServer, serve
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.server import server_process

pytestmark = pytest.mark.asyncio(loop_scope="session")

AGENT = """
export async function agent({ event }, chidori) {
  const { title, tracker } = event.body;
  await chidori.log("received", { title });
  const label = await chidori.prompt(`One word for this issue: ${title}`);
  const ticket = await chidori.tool("file_ticket", { tracker, label });
  const thanks = await chidori.prompt(`Thank the author of ticket ${ticket.id}`);
  return { status: 200, body: { label, ticket: ticket.id, thanks } };
}
"""
TOOL = """
export const tool = { name: "file_ticket", description: "Files a ticket.", parameters: { type: "object" } };

export async function run({ tracker, label }, chidori) {
  const answer = await chidori.http(tracker, { method: "POST", body: { label } });
  if (answer.status !== 201) throw new Error(`the tracker knows no label ${label}`);
  return answer.body;
}
"""


@dataclass
class Tracker:
    """Takes tickets with the label ``bug``, once it may."""

    may: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: web.Request) -> web.Response:
        if orjson.loads(await request.read())["label"] != "bug":
            return web.json_response({"error": "no such label"}, status=422)
        await self.may.wait()
        return web.json_response({"id": "T-17"}, status=201)


@dataclass(frozen=True)
class Scene:
    client: Client
    model: OpenAIServer
    tracker: Tracker
    around: LocalServer

    async def deliver(self, title: str) -> int:
        told = await self.client("POST", "/issues", json={"title": title, "tracker": f"{self.around.url}/tickets"})
        return told.status


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    agent = write_agent(folder, AGENT, "triage.ts")
    (folder / "tools").mkdir()
    (folder / "tools" / "file_ticket.ts").write_text(TOOL, encoding="utf-8")
    hooks = folder / "hooks.json"
    hooks.write_bytes(orjson.dumps({"/issues": {"kind": "open"}}))
    tracker = Tracker()
    async with OpenAIServer() as model, serve(tracker) as around, ClientSession() as session:
        environ = {**asking(model), "CHIDORI_WEBHOOKS": str(hooks), "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}
        async with server_process(agent, environ) as server:
            yield Scene(Client(server.url, session), model, tracker, around)


async def test_a_failed_delivery_is_found_replayed_edited_forked_watched_and_compared(
    browser: Browser, tmp_path: Path
) -> None:
    async with scene(tmp_path) as scenery:
        model, around = scenery.model, scenery.around
        scenery.tracker.may.set()
        model.script.extend([Scripted(content="bug"), Scripted(), Scripted(content="banana")])
        assert [await scenery.deliver("It works"), await scenery.deliver("It is yellow")] == [200, 500]
        scenery.tracker.may.clear()
        asked, filed = model.chat_requests, len(around.received)

        async with tab_in(browser, f"{scenery.client.url}/console/") as page:
            await _find_the_failed_one(page)
            await _understand_its_failed_call(page)
            await page.get_by_role("button", name="Replay to here").click()
            await expect(page.locator(".replay-counts")).to_have_text("3 recorded0 live")
            await expect(page.locator(".replay-verdict")).to_contain_text("reached #3")
            assert (model.chat_requests, len(around.received)) == (asked, filed)

            await _edit_the_classification(page)
            assert (model.chat_requests, len(around.received)) == (asked, filed)
            await page.get_by_role("button", name="Start fork").click()
            await _watch_the_fork(page, scenery)
            assert (model.chat_requests, len(around.received)) == (asked + 1, filed + 1)
            assert model.prompts["Thank the author of ticket T-17"] == 2

            await _compare_with_the_parent(page)


async def _find_the_failed_one(page: Page) -> None:
    await expect(page.locator("tr.run")).to_have_count(2)
    await page.get_by_role("button", name="Failed").click()
    await expect(page.locator("tr.run")).to_have_count(1)
    await page.get_by_role("searchbox").fill("nothing like it")
    await expect(page.get_by_text("No run is like that.")).to_be_visible()
    await page.get_by_role("searchbox").fill("YELLOW")
    await expect(page.locator("tr.run .run-note")).to_contain_text("the tracker knows no label banana")
    await page.locator("tr.run .run-link").click()
    await expect(page.locator(".run-top .badge")).to_have_text("failed")


async def _understand_its_failed_call(page: Page) -> None:
    await page.get_by_role("button", name="Next failed or waiting call").click()
    await expect(page.locator(".tl-cursor")).to_be_focused()
    await page.keyboard.press("Enter")
    detail = page.locator("call-detail")
    await expect(detail.get_by_role("heading", level=2)).to_have_text("#3 tool")
    await expect(detail.locator(".call-error")).to_contain_text("the tracker knows no label banana")
    await expect(detail.locator("dl.call-facts")).to_contain_text("triage.ts:6:")
    await expect(detail.locator(".source-line.here")).to_contain_text('await chidori.tool("file_ticket"')


async def _edit_the_classification(page: Page) -> None:
    await page.get_by_role("link", name="Calls", exact=True).click()
    await page.get_by_role("link", name="Call 2", exact=True).click()
    detail = page.locator("call-detail")
    await expect(detail.get_by_role("heading", level=2)).to_have_text("#2 prompt")
    await expect(detail.locator(".messages")).to_contain_text("One word for this issue: It is yellow")
    await detail.get_by_role("button", name="Edit and fork").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("textbox", name="Result").fill("bug")
    await expect(dialog.locator(".part-recorded")).to_contain_text("2 calls from the record")
    await expect(dialog.locator(".part-running")).to_contain_text("this run made 2 calls")
    await expect(dialog.locator(".part-interrupted")).to_contain_text("http")
    await expect(dialog.locator(".fork-command pre")).to_contain_text("--at 2 --result '\"bug\"'")


async def _watch_the_fork(page: Page, scenery: Scene) -> None:
    await expect(page.get_by_text("Fork at call #2 of")).to_be_visible()
    await expect(page.locator(".run-top .badge")).to_have_text("running")
    await expect(page.locator(".tl-legend")).to_contain_text("2 running")
    await expect(page.locator(".tl-legend")).to_contain_text("1 recorded")
    scenery.tracker.may.set()
    await expect(page.locator(".run-top .badge")).to_have_text("completed")
    await expect(page.locator(".run-counter")).to_have_text("recorded 2, live 3")


async def _compare_with_the_parent(page: Page) -> None:
    await page.get_by_role("link", name="Forks").click()
    items = page.get_by_role("treeitem")
    await expect(items).to_have_count(2)
    await items.first.locator(".fork-box").click()
    await page.get_by_role("link", name="Compare", exact=True).last.click()
    await expect(page.locator("section[aria-labelledby=compare-output] .diff-added").first).to_be_visible()
    await expect(page.locator("section[aria-labelledby=compare-output]")).to_contain_text("T-17")
    await page.get_by_role("button", name="changed: call at 2", exact=True).click()
    await expect(page.locator(".pair-open .diff-removed").filter(has_text="banana")).to_be_visible()
    await expect(page.locator(".pair-open .diff-added").filter(has_text="bug")).to_be_visible()
