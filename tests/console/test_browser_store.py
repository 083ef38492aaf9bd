"""``chidori console`` on a store with an imported checkpoint: opened, replayed, forked, taken away and verified."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.cli.console import chidori, run_id_of
from tests.cli.test_console import console
from tests.console.chromium import tab_in
from tests.support.agents import write_agent

pytestmark = pytest.mark.asyncio(loop_scope="session")

AGENT = """
export async function agent(input, chidori) {
  const draft = await chidori.prompt("a draft");
  const kept = await chidori.execJs("({ pages: 2 })");
  return { draft, kept };
}
"""


async def test_an_imported_checkpoint_is_opened_replayed_forked_and_taken_away(
    browser: Browser, tmp_path: Path
) -> None:
    made, here = tmp_path / "made", tmp_path / "here"
    for folder in (made, here):
        folder.mkdir()
    write_agent(made, AGENT)
    run = run_id_of(chidori(made, "run", "agent.ts"))
    assert chidori(made, "export", run, "-o", str(here / "taken.json")).returncode == 0

    async with console(here, "--no-open", "taken.json") as (address, _), tab_in(browser, address) as page:
        await expect(page.get_by_text("store only")).to_be_visible()
        await expect(page.locator(".run-counter")).to_have_text("recorded 2, live 0")
        await page.get_by_role("link", name="Calls", exact=True).click()
        await page.get_by_role("link", name="Call 2", exact=True).click()
        await page.get_by_role("button", name="Replay to here").click()
        await expect(page.locator(".replay-counts")).to_have_text("2 recorded0 live")

        await page.get_by_role("link", name="Call 1", exact=True).click()
        await expect(page.locator("call-detail .call-head h2")).to_have_text("#1 prompt")
        await page.get_by_role("button", name="Edit and fork").click()
        await page.get_by_role("textbox", name="Result").fill("another draft")
        await page.get_by_role("button", name="Start fork").click()
        await expect(page.get_by_text("Fork at call #1 of")).to_be_visible()
        await expect(page.locator(".run-top .badge")).to_have_text("completed")
        await expect(page.locator(".run-values summary", has_text="Output")).to_contain_text("another draft")

        await page.get_by_role("link", name="Source & commands").click()
        fork = page.url.split("/runs/")[1].split("/")[0]
        async with page.expect_download() as downloading:
            await page.get_by_role("button", name="Download the checkpoint").click()
        download = await downloading.value
        assert download.suggested_filename == f"{fork}.json"
        await download.save_as(here / download.suggested_filename)

        await page.get_by_role("link", name="Chidori").click()
        rows = page.locator("tr.run")
        await expect(rows).to_have_count(2)
        await expect(rows.filter(has_text="imported")).to_have_count(1)
        await expect(rows.filter(has_text="fork of")).to_have_count(1)

    # What was taken away is a fixture as it is.
    verified = chidori(made, "verify", str(here / f"{fork}.json"))
    assert verified.returncode == 0, verified.stderr
