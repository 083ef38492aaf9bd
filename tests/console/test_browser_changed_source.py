"""Runs at rest whose agent was mended meanwhile: the console says so, and lets them go on with the new source."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.console.chromium import tab_in
from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import write_agent

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAULTY = """
export async function agent(input: any, chidori: any) {
  const plan = await chidori.prompt("plan");
  if (input.ask) return { plan, said: await chidori.input("Go on?", { choices: ["yes", "no"] }) };
  throw new Error("no such case");
}
"""
REFUSED = ("409",)
MENDED = FAULTY.replace('throw new Error("no such case")', "return { plan, mended: true }")


async def _begin(client: Client, session: str, status: str, **value: object) -> None:
    told = await client("POST", "/sessions", json={"input": value, "session_id": session})
    assert told.json["status"] == status, told.body


async def _confirm(page: Page, word: str) -> None:
    await page.get_by_role("dialog").get_by_role("button", name=word).click()


async def test_a_run_that_its_own_code_ended_goes_on_with_the_mended_source(browser: Browser, tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, FAULTY), tmp_path) as client:
        await _begin(client, "bad", "failed")
        assert (await client("GET", "/sessions/bad")).json["retriable"] is False
        write_agent(tmp_path, MENDED)
        async with tab_in(browser, f"{client.url}/console/runs/bad") as page:
            badge = page.locator(".run-head .badge")
            await expect(badge).to_have_text("failed")
            await expect(page.get_by_role("button", name="Retry", exact=True)).to_have_count(0)
            await page.get_by_role("button", name="Retry with the changed source").click()
            await _confirm(page, "Go on with them")
            await expect(badge).to_have_text("completed")
        view = (await client("GET", "/sessions/bad")).json
        assert (view["output"]["mended"], view["call_count"], view["totals"]["prompts"]) == (True, 1, 1)


async def test_an_answer_asks_before_the_run_goes_on_with_another_source(browser: Browser, tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, FAULTY), tmp_path) as client:
        await _begin(client, "asks", "paused", ask=True)
    async with serving(write_agent(tmp_path, MENDED), tmp_path) as client:
        async with tab_in(browser, f"{client.url}/console/runs/asks", expected=REFUSED) as page:
            answer, badge = page.get_by_role("button", name="yes"), page.locator(".run-head .badge")
            await answer.click()
            await _confirm(page, "Go back")
            await expect(answer).to_be_enabled()
            await expect(badge).to_have_text("paused")
            await answer.click()
            await expect(page.get_by_role("dialog")).to_contain_text("source mismatch")
            await _confirm(page, "Go on with them")
            await expect(badge).to_have_text("completed")
        assert (await client("GET", "/sessions/asks")).json["output"]["said"] == "yes"
