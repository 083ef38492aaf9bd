"""Numbers that JavaScript would change, shown and edited in a real browser: they stay as they were written."""

from pathlib import Path

from playwright.async_api import expect

from chidori_actors import exact_json
from tests.console.chromium import needs_chromium, page_at
from tests.front_door.serving import serving
from tests.support.agents import write_agent

LARGE = 2**64 + 1
AGENT = f"""
def agent():
    memory("set", "it", {{"id": {LARGE}, "part": 1.0, "name": "1.0"}})
    return memory("get", "it")
"""


@needs_chromium
async def test_large_integers_are_shown_edited_and_sent_exactly(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT, "agent.star"), tmp_path) as client:
        told = await client("POST", "/sessions", json={"input": {}, "session_id": "run"})
        assert told.json["status"] == "completed", told.body
        async with page_at(f"{client.url}/console/runs/run/calls?call=2") as page:
            shown = page.locator("call-detail .json-number")
            await expect(shown.filter(has_text=str(LARGE))).to_be_visible()
            await expect(page.locator("run-view .json-number").filter(has_text=str(LARGE)).first).to_be_attached()
            await page.get_by_role("button", name="Edit and fork").click()
            editor = page.get_by_role("textbox", name="Result")
            await expect(editor).to_have_value(f'{{\n  "id": {LARGE},\n  "part": 1.0,\n  "name": "1.0"\n}}')
            await expect(page.locator(".recorded-text")).to_contain_text(str(LARGE))
            edited = f'{{"id": {LARGE + 2}, "part": 2.0, "name": "1.0"}}'
            await editor.fill(edited)
            await page.get_by_role("button", name="Format").click()
            await expect(editor).to_have_value(f'{{\n  "id": {LARGE + 2},\n  "part": 2.0,\n  "name": "1.0"\n}}')
            await expect(page.locator(".fork-command pre")).to_contain_text(f'{{"id":{LARGE + 2},"part":2.0')
            await page.get_by_role("button", name="Start fork").click()
            await expect(page.get_by_text("Fork at call #2 of")).to_be_visible()
            await expect(page.locator(".run-top .badge")).to_have_text("completed")
        runs = (await client("GET", "/sessions")).json["sessions"]
        fork = next(run["id"] for run in runs if run["id"] != "run")
        output = exact_json.loads((await client("GET", f"/sessions/{fork}")).body)["output"]
        assert (output["id"], output["part"]) == (LARGE + 2, 2.0)
        assert isinstance(output["part"], float)
