"""The past of a run in the console: replayed, edited and forked, its family, two runs compared; in a real browser."""

from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.console.chromium import needs_chromium, page_at
from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import write_agent
from tests.support.examples import asking
from tests.support.openai_server import OpenAIServer

AGENT = """
export async function agent(input: any, chidori: any) {
  console.log("the agent begins");
  const words = await chidori.prompt("first", { temperature: 0 });
  const reply = await chidori.execJs("({ status: 500 })");
  const last = await chidori.prompt(`last of ${words}`);
  return { words, last };
}
"""


async def _run(client: Client, session: str = "run") -> None:
    told = await client("POST", "/sessions", json={"input": {}, "session_id": session})
    assert told.json["status"] == "completed", told.body


async def _no_serious_fault(page: Page) -> None:
    found = await Axe().run(page)
    assert [each["id"] for each in found.response["violations"] if each["impact"] in ("serious", "critical")] == []


@needs_chromium
async def test_a_prompts_result_is_edited_and_the_fork_is_found_in_the_family_and_compared(tmp_path: Path) -> None:
    async with OpenAIServer() as model, serving(write_agent(tmp_path, AGENT), tmp_path, asking(model)) as client:
        await _run(client)
        asked = model.chat_requests
        async with page_at(f"{client.url}/console/runs/run/calls?call=1") as page:
            await page.get_by_role("button", name="Edit and fork").click()
            editor = page.get_by_role("textbox", name="Result")
            await editor.fill("<b>edited</b>")
            await page.get_by_label("Note").fill("another beginning")
            await expect(page.locator(".fork-command pre")).to_contain_text("--at 1 --result '\"<b>edited</b>\"'")
            assert model.chat_requests == asked
            await _no_serious_fault(page)
            await page.get_by_role("button", name="Start fork").click()
            await expect(page.get_by_text("Fork at call #1 of")).to_be_visible()
            await expect(page.locator(".run-top .badge")).to_have_text("completed")
            assert model.chat_requests == asked + 1

            await page.get_by_role("link", name="Forks").click()
            forked = page.get_by_role("treeitem").nth(1)
            await expect(forked).to_contain_text("fork at #1")
            await expect(forked).to_contain_text("another beginning")
            await forked.focus()
            await page.keyboard.press("ArrowUp")
            await page.keyboard.press("Space")
            await _no_serious_fault(page)
            await page.get_by_role("link", name="Compare", exact=True).last.click()

            await expect(page.locator("tr.pair")).to_have_count(2)
            await page.get_by_role("button", name="changed: call at 1").click()
            await expect(page.locator(".pair-open .diff-added")).to_contain_text("<b>edited</b>")
            await expect(page.locator(".pair-open b")).to_have_count(0)
            await _no_serious_fault(page)


@needs_chromium
async def test_json_that_is_not_valid_is_not_sent_and_its_place_is_named(tmp_path: Path) -> None:
    async with OpenAIServer() as model, serving(write_agent(tmp_path, AGENT), tmp_path, asking(model)) as client:
        await _run(client)
        async with page_at(f"{client.url}/console/runs/run/calls?call=2", width=400) as page:
            await page.get_by_role("button", name="Edit and fork").click()
            editor, start = page.get_by_role("textbox", name="Result"), page.get_by_role("button", name="Start fork")
            await expect(editor).to_have_value('{\n  "status": 500\n}')
            await editor.fill('{\n  "status": 200,\n}')
            await expect(page.locator(".verdict")).to_have_text("✕ Line 2, column 16: no comma may stand before }")
            await expect(start).to_be_disabled()
            await editor.fill('{"status": 200}')
            await expect(start).to_be_enabled()
            await page.get_by_role("button", name="Format").click()
            await expect(editor).to_have_value('{\n  "status": 200\n}')

            await page.keyboard.press("Escape")
            await page.keyboard.press("Escape")
            await expect(page.get_by_text("Discard what you changed?")).to_be_visible()
            await page.get_by_role("button", name="Discard").click()
            await expect(page.get_by_role("dialog")).to_have_count(0)
        assert len((await client("GET", "/sessions")).json["sessions"]) == 1


@needs_chromium
async def test_a_replay_counts_what_came_from_the_record_and_shows_where_changed_source_diverges(
    tmp_path: Path,
) -> None:
    agent = write_agent(tmp_path, AGENT)
    async with OpenAIServer() as model, serving(agent, tmp_path, asking(model)) as client:
        await _run(client)
        asked = model.chat_requests
        agent.write_text(AGENT.replace("temperature: 0", "temperature: 0.5"), encoding="utf-8")
        async with page_at(f"{client.url}/console/runs/run/calls?call=2") as page:
            await page.get_by_role("button", name="Replay to here").click()
            await expect(page.locator(".replay-counts")).to_have_text("2 recorded0 live")
            await expect(page.locator(".printed")).to_contain_text("the agent begins")

            await page.get_by_label("with the agent's file as it is now").check()
            await page.get_by_role("button", name="Replay to #2").click()
            await expect(page.locator(".divergence li.marked")).to_have_text(
                ['▸ "temperature": 0', '▸ "temperature": 0.5']
            )
            await expect(page.locator(".divergence .source-line.here")).to_contain_text('chidori.prompt("first"')
            await _no_serious_fault(page)
        assert model.chat_requests == asked
