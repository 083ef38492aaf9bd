"""The example agents that have branches, sub-agents and tools: run, killed, paused, replayed by the console command.

The model's answer depends on the whole prompt, so every answer is another one and a wrong place for it shows.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors.journal.records import Record
from tests.support.examples import Examples, asking
from tests.support.http_server import serve
from tests.support.openai_server import OpenAIServer, answer_to

_CALL_LINE = re.compile(r"^\s*#\d+ ", re.MULTILINE)
QUESTION = (
    'Which notes are about ships? [call=search_notes {"query": "SHIP", "limit": 1}] '
    '[call=text_statistics {"text": "Größe  zählt"}]'
)
NOTE = "Ships: the Vasa sank in 1628."
TOOL_RESULTS = [f'{{"found":1,"notes":["{NOTE}"]}}', '{"characters":12,"words":2}']


@pytest.fixture
def chidori(tmp_path: Path) -> Examples:
    return Examples(tmp_path / "store")


def reviewed(proposal: str) -> dict[str, Any]:
    """What parallel.ts gives."""
    brief = answer_to(f"Restate in one sentence: {proposal}")
    reviews = []
    for side in ("security", "cost", "operations"):
        risk = answer_to(f"The worst risk for {side}, in one sentence: {brief}")
        remedy = answer_to(f"A remedy for this risk to {side}: {risk}")
        price = answer_to(f"What ignoring this costs {side}: {risk}")
        reviews.append({"side": side, "risk": risk, "remedy": remedy, "price": price})
    written = orjson.dumps(reviews).decode()
    return {
        "reviews": reviews,
        "verdict": answer_to(f'Decide on "{brief}", given these reviews:\n\n{written}'),
    }


def tightened(topic: str) -> dict[str, Any]:
    """What streaming_progress.ts gives."""
    plan = answer_to(f"In one sentence, how would you explain {topic}?")
    draft = answer_to(f"Explain {topic} in a paragraph. Plan: {plan}")
    return {"answer": answer_to(f"Tighten this to three sentences:\n\n{draft}")}


@dataclass(frozen=True, slots=True)
class Example:
    """An agent, its input, what it gives, how often it asks the model, and its calls by function."""

    file: str
    inputs: Sequence[str]
    output: Any
    requests: int
    functions: Mapping[str, int]

    @property
    def command(self) -> tuple[str, ...]:
        return ("run", self.file, *(part for text in self.inputs for part in ("-i", text)))


PARALLEL = Example(
    "agents/parallel.ts",
    ["proposal=Let every team choose its own database"],
    reviewed("Let every team choose its own database"),
    requests=11,
    functions={"prompt": 11, "parallel": 4},
)
STREAMING = Example(
    "agents/streaming_progress.ts",
    ["topic=journals"],
    tightened("journals"),
    requests=3,
    functions={"prompt": 3, "call_agent": 1},
)
TOOL_USE = Example(
    "agents/tool_use.ts",
    [f"question={QUESTION}", f"note={NOTE}"],
    {"answer": answer_to(QUESTION, TOOL_RESULTS)},
    requests=2,
    functions={"prompt": 2, "tool": 3, "memory": 2},
)


async def check_ended(chidori: Examples, run_id: str, functions: Mapping[str, int]) -> None:
    """A finished run verifies, which asks nobody, and made just these calls."""
    verified = await chidori("verify", run_id)
    assert (verified.code, verified.stdout.startswith(b"OK")) == (0, True), verified.stderr
    made = [record["function"] for record in chidori.records(run_id)]
    assert {name: made.count(name) for name in set(made)} == functions


async def check_shown(chidori: Examples, run_id: str, output: Any, functions: Mapping[str, int]) -> None:
    """It also replays to the same output, and its trace has a line for every call."""
    await check_ended(chidori, run_id, functions)
    assert (await chidori("replay", run_id)).output == output
    traced = await chidori("trace", run_id)
    assert traced.code == 0, traced.stderr
    assert len(_CALL_LINE.findall(traced.stdout.decode())) == sum(functions.values())


async def test_parallel_gives_each_branch_its_own_answers(chidori: Examples) -> None:
    async with OpenAIServer(deterministic=True) as server:
        finished = await chidori(*PARALLEL.command, **asking(server))
        assert finished.output == PARALLEL.output
        assert server.chat_requests == PARALLEL.requests
        # Two of three branches run at once, each with two of its own in it.
        assert server.max_in_flight <= 4
    await check_shown(chidori, finished.run_id, finished.output, PARALLEL.functions)


async def test_streaming_progress_labels_what_it_streams(chidori: Examples) -> None:
    async with OpenAIServer(deterministic=True) as server:
        finished = await chidori(*STREAMING.command, "--stream", **asking(server))
        assert server.chat_requests == STREAMING.requests

    events = finished.events()
    texts = dict.fromkeys(("progress", "subagent", "final"), "")
    for event in events:
        if event["type"] == "prompt_delta":
            texts[event["prompt_type"]] += event["delta"]
    assert texts == {record["args"]["type"]: record["result"] for record in finished.records("prompt")}
    assert sum(event["type"] == "prompt_delta" for event in events) > 3
    assert events[-1]["type"] == "done"
    assert events[-1]["output"] == STREAMING.output == {"answer": texts["final"]}
    [child] = finished.records("call_agent")
    subagents = [record for record in finished.records("prompt") if record["args"]["type"] == "subagent"]
    assert [record["parent_seq"] for record in subagents] == [child["seq"]]
    await check_shown(chidori, finished.run_id, STREAMING.output, STREAMING.functions)


async def test_tool_use_sends_the_results_of_two_tools_back_at_once(chidori: Examples) -> None:
    async with OpenAIServer(deterministic=True) as server:
        finished = await chidori(*TOOL_USE.command, **asking(server))
        assert finished.output == TOOL_USE.output
        first, second = (request["body"] for request in server.requests)

    offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in first["tools"]}
    assert set(offered) == {"search_notes", "text_statistics"}
    assert offered["search_notes"]["properties"]["limit"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 20,
        "default": 5,
    }
    asked, *results = second["messages"][-3:]
    assert [call["function"]["name"] for call in asked["tool_calls"]] == ["search_notes", "text_statistics"]
    assert [result["tool_call_id"] for result in results] == [call["id"] for call in asked["tool_calls"]]
    assert [result["content"] for result in results] == TOOL_RESULTS
    await check_shown(chidori, finished.run_id, finished.output, TOOL_USE.functions)


def answered_prompts(records: Sequence[Record]) -> set[str]:
    """The turns of a tool loop share their text, so they are left out."""
    return {record["args"]["text"] for record in records if "text" in record["args"] and "turn" not in record["args"]}


async def kill_and_resume(example: Example, kills: Sequence[int], chidori: Examples) -> None:
    """Killed while the n-th request of each process is under way, the run ends as if nobody had killed it."""
    async with OpenAIServer(deterministic=True) as server:
        command, run_id = example.command, ""
        settled: list[Record] = []
        for request in kills:
            before = server.prompts.copy()
            run_id = await chidori.killed_at(server, request, *command)
            assert not answered_prompts(settled) & set(server.prompts - before), "an answered prompt was asked again"
            settled = chidori.records(run_id)
            command = ("resume", example.file, run_id)
        requests = server.chat_requests
        finished = await chidori(*command, **asking(server))
        assert finished.output == example.output
        known = sum(record["function"] == "prompt" for record in settled)
        assert server.chat_requests - requests == example.requests - known
    by_path = {record["path"]: record for record in chidori.records(run_id)}
    assert [by_path[record["path"]] for record in settled] == settled, "a finished call was made again"
    await check_ended(chidori, run_id, example.functions)


@pytest.mark.parametrize(
    ("example", "request_number"),
    [
        pytest.param(PARALLEL, 3, marks=pytest.mark.slow),
        (PARALLEL, 6),
        pytest.param(PARALLEL, 11, marks=pytest.mark.slow),
        pytest.param(STREAMING, 2, marks=pytest.mark.slow),
        pytest.param(TOOL_USE, 2, marks=pytest.mark.slow),
    ],
    ids=lambda value: Path(value.file).stem if isinstance(value, Example) else str(value),
)
async def test_a_killed_agent_ends_as_if_it_had_not_been(
    example: Example, request_number: int, chidori: Examples
) -> None:
    await kill_and_resume(example, [request_number], chidori)


@pytest.mark.slow
async def test_an_agent_with_branches_is_killed_while_it_is_resumed(chidori: Examples) -> None:
    await kill_and_resume(PARALLEL, [4, 2], chidori)


async def test_tool_use_tells_the_model_that_its_arguments_are_wrong(chidori: Examples) -> None:
    async with OpenAIServer(deterministic=True) as server:
        question = 'Look. [call=search_notes {"query": "a", "limit": 0}]'
        finished = await chidori("run", TOOL_USE.file, "-i", f"question={question}", **asking(server))
        result = server.requests[-1]["body"]["messages"][-1]["content"]

    assert result.startswith("Error: tool `search_notes`: invalid arguments: `limit`")
    assert finished.output == {"answer": answer_to(question, [result])}


async def test_tool_use_does_without_a_model(chidori: Examples) -> None:
    finished = await chidori(
        *("run", TOOL_USE.file, "-i", "question=Which?", "-i", f"note={NOTE}"),
        CHIDORI_TEST_LLM_TOOL_CALL='[{"name": "search_notes", "input": {"query": "ship"}},'
        ' {"name": "text_statistics", "input": {"text": "Which of my notes?"}}]',
        CHIDORI_TEST_LLM_RESPONSE="One note.",
    )

    assert finished.output == {"answer": "One note."}
    results = {
        record["args"]["name"]: record["result"]
        for record in chidori.records(finished.run_id)
        if record["function"] == "tool"
    }
    assert results == {
        "save_note": {"title": "Ships"},
        "search_notes": {"found": 1, "notes": [NOTE]},
        "text_statistics": {"characters": 18, "words": 4},
    }


APPROVAL = "agents/approval.ts"
ASK_BEFORE_HTTP = '{"rules": [{"target": "http", "decision": "ask_before"}]}'
BLOG, MAIL = (answer_to(f"For the {channel}, in two sentences: Beta") for channel in ("blog", "mail"))
ASK_BLOG, ASK_MAIL = (
    f"Publish on the {channel}? {text} (yes, no)" for channel, text in (("blog", BLOG), ("mail", MAIL))
)
APPROVED_CALLS = {"parallel": 1, "call_agent": 2, "prompt": 2, "tool": 2, "input": 2}


def settings_for(server: OpenAIServer, **more: str) -> dict[str, str]:
    return {**asking(server), "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1", **more}


async def test_approval_is_asked_for_three_levels_deep_and_given_in_any_order(chidori: Examples) -> None:
    async with OpenAIServer(deterministic=True) as server:
        env = settings_for(server)
        resume = partial(chidori, "resume", APPROVAL, **env)
        paused = await chidori("run", APPROVAL, "-i", "news=Beta", "-i", f"webhook={server.root}/count", **env)
        run_id = paused.run_id
        blog, mail = paused.asks(ASK_BLOG), paused.asks(ASK_MAIL)
        assert set(paused.questions) == {blog, mail}

        again = await resume(run_id, "--answer", f"{mail}=yes")
        assert again.questions.keys() == {blog}
        mailed = orjson.dumps({"channel": "mail", "text": MAIL}).decode()
        assert server.counted_bodies == {mailed: 1}

        finished = await resume(run_id, "--answer", f"{blog}=no")
        assert finished.output == [
            {"channel": "blog", "result": {"approved": False}},
            {"channel": "mail", "result": {"approved": True, "posted": 200}},
        ]
        assert server.counted_bodies == {mailed: 1}
        assert server.chat_requests == 2
    await check_shown(chidori, run_id, finished.output, {**APPROVED_CALLS, "http": 1})
    depths = {record["function"]: record["path"] for record in chidori.records(run_id)}
    assert re.fullmatch(r"1/b[01]/1/2/1", depths["input"])


async def test_approval_asks_what_the_policy_says_after_what_the_tool_asks(chidori: Examples) -> None:
    async with OpenAIServer(deterministic=True) as server:
        env = settings_for(server, CHIDORI_POLICY=ASK_BEFORE_HTTP)
        resume = partial(chidori, "resume", APPROVAL, **env)
        asked = await chidori("run", APPROVAL, "-i", "news=Beta", "-i", f"webhook={server.root}/count", **env)
        run_id = asked.run_id
        blog, mail = asked.asks(ASK_BLOG), asked.asks(ASK_MAIL)

        approved = await resume(run_id, "--answer", f"{blog}=yes", "--answer", f"{mail}=yes")
        assert len(approved.questions) == 2
        assert server.counted_bodies == {}
        post_to = {channel: approved.asks(f'"channel":"{channel}"') for channel in ("blog", "mail")}
        finished = await resume(run_id, "--deny", post_to["mail"], "--approve", post_to["blog"])

        denied, posted = sorted(finished.output, key=lambda outcome: "result" in outcome)
        assert posted == {"channel": "blog", "result": {"approved": True, "posted": 200}}
        assert (denied["channel"], denied["error"].startswith("branch 1: policy: `http` denied")) == ("mail", True)
        assert server.counted_bodies == {orjson.dumps({"channel": "blog", "text": BLOG}).decode(): 1}
        assert server.chat_requests == 2
    await check_ended(chidori, run_id, {**APPROVED_CALLS, "http": 2})


@pytest.mark.slow
async def test_approval_is_killed_before_it_pauses_and_asks_all_the_same(chidori: Examples) -> None:
    async with OpenAIServer(deterministic=True) as server:
        env = settings_for(server)
        run_id = await chidori.killed_at(
            server, 2, "run", APPROVAL, "-i", "news=Beta", CHIDORI_HTTP_ALLOW_HOSTS="127.0.0.1"
        )
        paused = await chidori("resume", APPROVAL, run_id, **env)
        blog, mail = paused.asks(ASK_BLOG), paused.asks(ASK_MAIL)
        finished = await chidori("resume", APPROVAL, run_id, "--answer", f"{blog}=yes", "--answer", f"{mail}=no", **env)
    assert finished.output == [
        {"channel": "blog", "result": {"approved": True, "posted": None}},
        {"channel": "mail", "result": {"approved": False}},
    ]
    await check_ended(chidori, run_id, APPROVED_CALLS)


@pytest.mark.slow
async def test_approval_is_killed_while_it_posts_and_posts_again_with_the_same_key(chidori: Examples) -> None:
    under_way = asyncio.Event()

    async def webhook(request: web.Request) -> web.StreamResponse:
        if not under_way.is_set():
            under_way.set()
            await asyncio.Event().wait()
        return web.json_response({"posted": True})

    async with OpenAIServer(deterministic=True) as server, serve(webhook) as target:
        env = settings_for(server)
        paused = await chidori("run", APPROVAL, "-i", "news=Beta", "-i", f"webhook={target.url}/news", **env)
        run_id = paused.run_id
        answers = ("--answer", f"{paused.asks(ASK_BLOG)}=yes", "--answer", f"{paused.asks(ASK_MAIL)}=no")
        # Its process is killed before it tells the run's id again.
        await chidori.killed_when(under_way, "resume", APPROVAL, run_id, *answers, **env)

        finished = await chidori("resume", APPROVAL, run_id, **env)

        assert finished.output == [
            {"channel": "blog", "result": {"approved": True, "posted": 200}},
            {"channel": "mail", "result": {"approved": False}},
        ]
        assert [orjson.loads(request.body) for request in target.received] == [{"channel": "blog", "text": BLOG}] * 2
        assert len({request.headers["idempotency-key"] for request in target.received}) == 1
        assert server.chat_requests == 2
    await check_ended(chidori, run_id, {**APPROVED_CALLS, "http": 1})
