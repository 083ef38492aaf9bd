"""What a run asks is answered in place: approvals three levels deep, and several questions at once."""

from pathlib import Path

import orjson
import pytest
from aiohttp import ClientSession, web
from playwright.async_api import Browser, Page, expect

from tests.console.chromium import tab_in
from tests.front_door.small_app import Client
from tests.support.agents import write_agent
from tests.support.examples import ROOT, asking
from tests.support.http_server import serve
from tests.support.openai_server import OpenAIServer
from tests.support.server import server_process

pytestmark = pytest.mark.asyncio(loop_scope="session")

SEVERAL = """
export async function agent(input, chidori) {
  const [name, colour, place, why] = await Promise.all([
    chidori.input("What is your name?"),
    chidori.input("Which colour?", { choices: ["red", "green"], default: "green" }),
    chidori.input("Where?", { choices: ["a harbour town in the north", "an island nobody knows", "here"] }),
    chidori.input("Why?", { default: "because", type: "reason" }),
  ]);
  return { name, colour, place, why };
}
"""


async def post_ok(request: web.Request) -> web.Response:
    return web.json_response({"posted": True}, status=201)


async def test_approvals_three_levels_deep_are_answered_in_place(browser: Browser, tmp_path: Path) -> None:
    policy = {"rules": [{"target": "http", "decision": "ask_before", "reason": "everybody can read it"}]}
    async with OpenAIServer() as model, serve(post_ok) as blog, ClientSession() as session:
        environ = {
            **asking(model),
            "CHIDORI_POLICY": orjson.dumps(policy).decode(),
            "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1",
            "CHIDORI_DB_PATH": str(tmp_path / "store"),
        }
        async with server_process(ROOT / "agents" / "approval.ts", environ) as server:
            body = {"input": {"news": "The beta is open", "webhook": f"{blog.url}/post"}, "session_id": "news"}
            told = await Client(server.url, session)("POST", "/sessions", json=body)
            assert (told.json["status"], len(told.json["pending"])) == ("paused", 2)
            async with tab_in(browser, f"{server.url}/console/") as page:
                await page.get_by_role("button", name="Needs an answer").click()
                await expect(page.locator("tr.run .run-note")).to_contain_text("1 more")
                await page.locator("tr.run .run-link").click()
                await expect(page.locator(".tl-label")).to_have_count(7)
                await _say(page, "Publish on the mail?", "no")
                await expect(page.locator("form.question")).to_have_count(1)
                await _say(page, "Publish on the blog?", "yes")

                # The tool's POST is what the policy asks about.
                form = page.locator("form.question")
                await expect(form.locator(".question-kind")).to_have_text("Approval")
                await expect(form).to_contain_text(f"{blog.url}/post")
                assert blog.received == []
                await form.get_by_role("button", name="Call #").click()
                await expect(page.locator("call-detail .call-head h2")).to_have_text("#10 http")
                await (
                    page.locator(".run-questions form.question").get_by_role("button", name="Allow", exact=True).click()
                )

                await expect(page.locator(".run-top .badge")).to_have_text("completed")
                await expect(page.locator("form.question")).to_have_count(0)
                assert [request.method for request in blog.received] == ["POST"]
                await expect(page.locator("details", has_text="Output").locator("summary")).to_contain_text(
                    '{"channel":"mail","result":{"approved":false}}'
                )


async def test_questions_that_are_open_at_once_are_answered_one_by_one(browser: Browser, tmp_path: Path) -> None:
    async with server_process(write_agent(tmp_path, SEVERAL), {}) as server, ClientSession() as session:
        client = Client(server.url, session)
        told = await client("POST", "/sessions", json={"input": {}, "session_id": "run"})
        assert len(told.json["pending"]) == 4
        async with tab_in(browser, f"{server.url}/console/runs/run") as page:
            forms = page.locator("form.question")
            await expect(page.get_by_role("heading", name="4 questions waiting for an answer")).to_be_visible()
            await forms.filter(has_text="What is your name?").get_by_role("textbox").fill("Ada\nKing")
            await _say(page, "Which colour?", "red")
            await expect(forms).to_have_count(3)
            # What was typed elsewhere stays.
            name = forms.filter(has_text="What is your name?")
            await expect(name.get_by_role("textbox")).to_have_value("Ada\nKing")

            where = forms.filter(has_text="Where?")
            await where.get_by_role("radio", name="an island nobody knows").check()
            await where.get_by_role("button", name="Answer").click()
            await expect(forms).to_have_count(2)
            await name.get_by_role("button", name="Answer").click()
            await expect(forms).to_have_count(1)
            await expect(forms.locator("json-view")).to_contain_text("reason")
            await expect(forms.get_by_role("textbox")).to_have_value("because")
            await forms.get_by_role("textbox").press("Control+Enter")

            await expect(page.locator(".run-top .badge")).to_have_text("completed")
        assert (await client("GET", "/sessions/run")).json["output"] == {
            "name": "Ada\nKing",
            "colour": "red",
            "place": "an island nobody knows",
            "why": "because",
        }


async def test_a_question_that_somebody_else_answered_is_told_and_goes_away(browser: Browser, tmp_path: Path) -> None:
    async with server_process(write_agent(tmp_path, SEVERAL), {}) as server, ClientSession() as session:
        client = Client(server.url, session)
        await client("POST", "/sessions", json={"input": {}, "session_id": "run"})
        async with tab_in(browser, f"{server.url}/console/runs/run") as page:
            forms = page.locator("form.question")
            await expect(forms).to_have_count(4)
            told = await client("POST", "/sessions/run/resume", json={"response": "Grace", "seq": 1})
            assert told.status == 200
            await expect(forms).to_have_count(3)
            await expect(forms.filter(has_text="What is your name?")).to_have_count(0)


async def _say(page: Page, question: str, answer: str) -> None:
    await page.locator("form.question").filter(has_text=question).get_by_role("button", name=answer, exact=True).click()
