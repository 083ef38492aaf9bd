"""Turns of a tool loop against a real HTTP server, through the real litellm."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors.host.function import HostError, HostResult, ToolDefinition
from chidori_actors.host.prompt import record_args, run_prompt
from chidori_actors.host.resources import Resources
from tests.host.test_prompt import KEY, Bench, RecordedEvents, call_of, failure_of, services_with
from tests.support.http_server import serve
from tests.support.litellm_warnings import LITELLM_WARNINGS
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.process import run_python
from tests.support.services import FakeTools

pytestmark = LITELLM_WARNINGS

SEARCH = ToolDefinition(
    "web_search",
    "Searches the web.",
    {
        "type": "object",
        "$defs": {"Range": {"type": "object", "properties": {"from": {"type": "integer", "minimum": 1990}}}},
        "properties": {
            "query": {"type": "string", "minLength": 1},
            "kind": {"type": "string", "enum": ["news", "papers"], "default": "news"},
            "filters": {
                "type": "array",
                "items": {"type": "object", "properties": {"years": {"$ref": "#/$defs/Range"}}, "required": ["years"]},
            },
        },
        "required": ["query"],
        "additionalProperties": False,
    },
)
CLOCK = ToolDefinition("files__clock", "Tells the time.", {"type": "object", "properties": {}})
ASKS: dict[str, Any] = {
    "name": "web_search",
    "arguments": {"query": "actors “durable” 🎭", "filters": [{"years": {"from": 2001}}]},
}


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    events, resources = RecordedEvents(), Resources()
    async with OpenAIServer() as server:
        environ = {"LITELLM_API_URL": server.url, "LITELLM_API_KEY": KEY}
        yield Bench(server, services_with(environ, events, resources, [SEARCH, CLOCK]), events)
        await resources.aclose()


async def turn(bench: Bench, *messages: dict[str, Any], **options: Any) -> Any:
    return orjson.loads((await turn_result(bench, *messages, **options)).value)


async def turn_result(bench: Bench, *messages: dict[str, Any], **options: Any) -> HostResult:
    """One turn of the loop as the prelude makes it: ``turn`` counts, ``messages`` is left out of the first one."""
    number = 1 + sum(message["role"] == "assistant" for message in messages)
    loop = {"tools": ["web_search", "files__clock"], "turn": number, "max_turns": 10, **options}
    return await bench.prompt("find it", **loop, **({"messages": list(messages)} if messages else {}))


def as_message(result: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", **{name: result[name] for name in ("content", "tool_calls", "blocks")}}


def sent(bench: Bench) -> Any:
    return bench.server.requests[-1]["body"]


async def test_the_whole_schema_reaches_the_provider(bench: Bench) -> None:
    result = await turn_result(bench)
    assert sent(bench)["tools"] == [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in (SEARCH, CLOCK)
    ]
    assert orjson.loads(result.value) == {
        "content": "answer(find it)#1",
        "blocks": [{"type": "text", "text": "answer(find it)#1"}],
        "tool_calls": [],
        "stop_reason": "end_turn",
        "input_tokens": 2,
        "output_tokens": 2,
    }
    assert result.token_usage == {"input_tokens": 2, "output_tokens": 2}


@pytest.mark.parametrize("whole", [False, True])
async def test_two_tool_calls_of_one_turn_are_told_apart(bench: Bench, whole: bool) -> None:
    calls = [{**ASKS, "id": "a"}, {"name": "web_search", "arguments": {"query": "second"}, "id": "b"}]
    bench.server.script.append(Scripted(tool_calls=calls, whole_tool_calls=whole))
    result = await turn_result(bench)
    value = orjson.loads(result.value)
    assert value["tool_calls"] == [
        {"id": call["id"], "name": "web_search", "input": call["arguments"]} for call in calls
    ]
    assert value["blocks"] == [{"type": "tool_use", **call} for call in value["tool_calls"]]
    assert (value["content"], value["stop_reason"]) == ("", "tool_use")
    assert (value["input_tokens"], value["output_tokens"]) == (2, 2)
    assert bench.server.chat_requests == 1
    assert "warnings" not in result.notes


async def test_text_and_a_tool_call_of_one_reply_are_both_kept_and_the_text_is_streamed(bench: Bench) -> None:
    bench.server.script.append(Scripted(content="Let me look that up.", tool_calls=[{**ASKS, "id": "a"}]))
    value = await turn(bench, type="thinking")
    assert value["content"] == "Let me look that up."
    assert [block["type"] for block in value["blocks"]] == ["text", "tool_use"]
    assert value["blocks"][0]["text"] == "Let me look that up."
    deltas = bench.events.of("delta")
    assert len(deltas) > 1
    assert "".join(delta[4] for delta in deltas) == "Let me look that up."
    assert [event[3] for event in (*bench.events.of("start"), *bench.events.of("end"))] == ["thinking", "thinking"]


async def test_the_next_turn_tells_the_conversation_as_openai_wants_it(bench: Bench) -> None:
    asked = [{**ASKS, "id": "a"}, {"name": "files__clock", "arguments": "", "id": "b"}]
    bench.server.script.append(Scripted(content="I look.", tool_calls=asked))
    first = await turn(bench, system="be brief")
    value = await turn(
        bench,
        as_message(first),
        {"role": "tool", "id": "a", "name": "web_search", "content": '["found"]'},
        {"role": "tool", "id": "b", "name": "files__clock", "content": "the clock stands", "is_error": True},
        system="be brief",
    )
    system, user, assistant, *results = sent(bench)["messages"]
    assert (system["content"], user["content"]) == ("be brief", "find it")
    assert (assistant["role"], assistant["content"]) == ("assistant", "I look.")
    assert [orjson.loads(call["function"].pop("arguments")) for call in assistant["tool_calls"]] == [
        ASKS["arguments"],
        {},
    ]
    assert assistant["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "web_search"}},
        {"id": "b", "type": "function", "function": {"name": "files__clock"}},
    ]
    assert results == [
        {"role": "tool", "tool_call_id": "a", "content": '["found"]'},
        {"role": "tool", "tool_call_id": "b", "content": "Error: the clock stands"},
    ]
    assert (value["content"], value["stop_reason"]) == ("answer(find it)#2", "end_turn")
    assert sent(bench)["tools"][0]["function"]["parameters"] == SEARCH.parameters
    assert [event[0] for event in bench.events.seen if event[0] != "delta"] == ["start", "end"] * 2
    assert len({start[1] for start in bench.events.of("start")}) == 2


async def test_a_tool_call_without_text_can_be_answered(bench: Bench) -> None:
    bench.server.script.append(Scripted(tool_calls=[{**ASKS, "id": "a"}]))
    first = await turn(bench)
    value = await turn(bench, as_message(first), {"role": "tool", "id": "a", "name": "web_search", "content": ""})
    assert value["content"] == "answer(find it)#2"
    assert sent(bench)["messages"][1].get("content") is None


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ('{"query": "cut', "the arguments are not JSON: Unterminated string"),
        ("[1]", "the arguments are not a JSON object. They were: [1]"),
        ('"query"', "the arguments are not a JSON object"),
        ('{"n": NaN}', "the arguments are not JSON: NaN is not JSON"),
        ("x" * 1000, "the arguments are not JSON"),
    ],
)
async def test_malformed_arguments_are_told_instead_of_ending_the_loop(
    bench: Bench, arguments: str, fault: str
) -> None:
    bench.server.script.append(
        Scripted(tool_calls=[{"name": "web_search", "arguments": arguments, "id": "a"}, {**ASKS, "id": "b"}])
    )
    bad, good = (await turn(bench))["tool_calls"]
    assert (bad["id"], bad["name"], bad["input"]) == ("a", "web_search", {})
    assert bad["invalid"].startswith(fault)
    assert len(bad["invalid"]) < 400
    assert good == {"id": "b", "name": "web_search", "input": ASKS["arguments"]}


async def test_a_malformed_call_goes_back_to_the_model_as_an_empty_one(bench: Bench) -> None:
    bench.server.script.append(Scripted(tool_calls=[{"name": "no such tool!", "arguments": "{", "id": "a"}]))
    first = await turn(bench)
    assert first["tool_calls"][0]["name"] == "no such tool!"
    answer = {"role": "tool", "id": "a", "name": "no such tool!", "content": "Unknown tool", "is_error": True}
    value = await turn(bench, as_message(first), answer)
    assert value["content"] == "answer(find it)#2"
    (call,) = sent(bench)["messages"][1]["tool_calls"]
    assert call["function"] == {"name": "no_such_tool_", "arguments": "{}"}


async def test_arguments_cut_by_the_cap_say_so(bench: Bench) -> None:
    call = {"name": "web_search", "arguments": '{"query": "act', "id": "a"}
    bench.server.script.append(Scripted(tool_calls=[call], finish_reason="length"))
    result = await turn_result(bench, max_tokens=5)
    value = orjson.loads(result.value)
    assert value["stop_reason"] == "max_tokens"
    assert "(the reply was cut at the token cap)" in value["tool_calls"][0]["invalid"]
    assert result.notes["warnings"] == ["the reply was cut at max_tokens=5"]


async def test_half_an_emoji_in_arguments_and_large_numbers_pass(bench: Bench) -> None:
    arguments = '{"query": "\\ud83d", "n": 12345678901234567890123}'
    bench.server.script.append(Scripted(tool_calls=[{"name": "web_search", "arguments": arguments}]))
    result = await turn_result(bench)
    assert '"input":{"query":"\ufffd","n":12345678901234567890123}' in result.value.decode()


async def test_missing_and_repeated_ids_are_replaced_by_unique_ones(bench: Bench) -> None:
    ids = ["a", "a", None, "call_1_3"]
    calls = [{"name": "web_search", "arguments": {"query": str(n)}, "id": given} for n, given in enumerate(ids)]
    bench.server.script.extend([Scripted(tool_calls=calls), Scripted(tool_calls=[{**ASKS, "id": "a"}])])
    first = await turn(bench)
    assert [call["id"] for call in first["tool_calls"]] == ["a", "call_1_2", "call_1_3", "call_1_4"]
    assert [call["input"]["query"] for call in first["tool_calls"]] == ["0", "1", "2", "3"]
    answers = [
        {"role": "tool", "id": call["id"], "name": call["name"], "content": f"r{n}"}
        for n, call in enumerate(first["tool_calls"])
    ]
    second = await turn(bench, as_message(first), *answers)
    assert [call["id"] for call in second["tool_calls"]] == ["call_2_1"]


async def test_usage_that_the_provider_did_not_send_is_null(bench: Bench) -> None:
    bench.server.script.append(Scripted(usage=False))
    result = await turn_result(bench)
    value = orjson.loads(result.value)
    assert (value["input_tokens"], value["output_tokens"], result.token_usage) == (None, None, None)


async def test_a_retry_keeps_the_conversation(bench: Bench) -> None:
    bench.server.script.extend(
        [Scripted(tool_calls=[{**ASKS, "id": "a"}]), Scripted(status=500), Scripted(reset_after=1)]
    )
    first = await turn(bench)
    answer = {"role": "tool", "id": "a", "name": "web_search", "content": "found"}
    result = await turn_result(bench, as_message(first), answer)
    assert orjson.loads(result.value)["content"] == "answer(find it)#4"
    assert len(result.notes["attempts"]) == 2
    bodies = [request["body"] for request in bench.server.requests]
    assert bodies[1] == bodies[2] == bodies[3]
    assert [message["role"] for message in bodies[3]["messages"]] == ["user", "assistant", "tool"]
    assert len(bench.events.of("start")) == 4


async def test_an_unanswered_tool_call_is_the_providers_error(bench: Bench) -> None:
    bench.server.script.append(Scripted(tool_calls=[{**ASKS, "id": "a"}, {**ASKS, "id": "b"}]))
    first = await turn(bench)
    answer = {"role": "tool", "id": "a", "name": "web_search", "content": "found"}
    error = await failure_of(lambda: turn(bench, as_message(first), answer))
    assert "did not have response messages: b" in str(error)
    assert error.data["status"] == 400


async def test_json_is_the_value_of_the_turn_that_calls_no_tool(bench: Bench) -> None:
    bench.server.script.extend([Scripted(tool_calls=[ASKS]), Scripted(content='{"found": [1, 2]}')])
    asking = await turn(bench, format="json")
    assert "value" not in asking
    answering = await turn(bench, format="json")
    assert (answering["value"], answering["content"]) == ({"found": [1, 2]}, '{"found": [1, 2]}')
    assert sent(bench)["response_format"] == {"type": "json_object"}


async def test_a_turn_that_is_no_json_fails_unless_not_strict(bench: Bench) -> None:
    error = await failure_of(lambda: turn(bench, format="json"))
    assert str(error).startswith("prompt: the reply did not parse as JSON")
    assert error.token_usage == {"input_tokens": 2, "output_tokens": 2}
    lenient = await turn(bench, format="json", strict=False)
    assert lenient["value"] == lenient["content"] == "answer(find it)#2"


async def test_tools_that_cannot_be_offered_are_refused_before_anything_is_sent(bench: Bench) -> None:
    error = await failure_of(lambda: turn(bench, tools=["web_serach"]))
    assert str(error) == "Unknown tool: web_serach (available: web_search, files__clock)"
    bench.services = replace(bench.services, tools=FakeTools([replace(CLOCK, name="files__my.clock")]))
    error = await failure_of(lambda: turn(bench, tools=["files__my.clock"]))
    assert "'files__my.clock' cannot be offered" in str(error)
    assert "chidori.tool()" in str(error)
    assert bench.server.chat_requests == 0
    assert bench.events.seen == []


async def test_a_tool_that_is_named_twice_is_offered_once_and_none_is_no_list(bench: Bench) -> None:
    await turn(bench, tools=["web_search", "web_search"])
    assert [tool["function"]["name"] for tool in sent(bench)["tools"]] == ["web_search"]
    value = await turn(bench, tools=[])
    assert "tools" not in sent(bench)
    assert (value["content"], value["tool_calls"]) == ("answer(find it)#2", [])


async def bodies_of_refused_requests(*asked: dict[str, Any]) -> list[Any]:
    """What each model's own provider is sent, which answers 400, for a turn that offers ``web_search``."""

    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "no"}}, status=400)

    resources = Resources()
    async with serve(refuse) as server:
        for options in asked:
            provider = options["model"].partition("/")[0]
            os.environ[f"{provider.upper()}_API_BASE"] = server.url
            environ = {f"{provider.upper()}_API_KEY": KEY}
            services = services_with(environ, RecordedEvents(), resources, [SEARCH])
            with pytest.raises(HostError) as caught:
                await run_prompt(call_of("x", **{"tools": ["web_search"], "turn": 1, **options}), services)
            assert str(caught.value) == f"prompt: {provider} answered 400: no"
        await resources.aclose()
        return [orjson.loads(received.body) for received in server.received]


def check_other_providers() -> None:
    before = orjson.dumps(SEARCH.parameters)
    claude, gemini = "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"
    to_claude, with_tools, without_tools = asyncio.run(
        bodies_of_refused_requests(
            {"model": claude},
            {"model": gemini, "format": "json"},
            {"model": gemini, "format": "json", "tools": []},
        )
    )
    assert [tool["input_schema"] for tool in to_claude["tools"]] == [SEARCH.parameters]
    (function,) = with_tools["tools"][0]["function_declarations"]
    assert function["parameters"]["properties"]["kind"] == SEARCH.parameters["properties"]["kind"]
    assert "application/json" not in orjson.dumps(with_tools).decode()
    assert without_tools["generationConfig"] == {"response_mime_type": "application/json"}
    # litellm rewrites what it is given for Gemini.
    assert orjson.dumps(SEARCH.parameters) == before


def test_other_providers_get_the_schema_and_gemini_is_not_asked_for_json_beside_tools() -> None:
    # In a process of its own: litellm does not close all clients of a second runtime in one process.
    done = run_python("from tests.host import test_prompt_tools as tests; tests.check_other_providers()")
    assert (done.returncode, done.stderr) == (0, "")


def test_everything_of_a_turn_is_recorded_and_what_is_sent_is_in_the_digest() -> None:
    loop: dict[str, Any] = {"tools": ["a"], "turn": 2, "max_turns": 5, "messages": [{"role": "assistant"}]}
    args = record_args({"text": "t", **loop}, "gpt-4o")
    digest = args.pop("request_digest")
    assert args == {"text": "t", "model": "gpt-4o", "type": None, **loop}
    other_bound = record_args({"text": "t", **loop, "max_turns": 6}, "gpt-4o")
    assert other_bound["request_digest"] == digest
    for name in ("tools", "messages"):
        assert record_args({"text": "t", **loop, name: []}, "gpt-4o")["request_digest"] != digest


async def dry_turn(tool_call: str, *names: str, **options: Any) -> Any:
    environ = {"CHIDORI_TEST_LLM_RESPONSE": "done", "CHIDORI_TEST_LLM_TOOL_CALL": tool_call}
    services = services_with(environ, RecordedEvents(), Resources(), [SEARCH, CLOCK])
    result = await run_prompt(call_of("x", tools=list(names), turn=1, max_turns=3, **options), services)
    return orjson.loads(result.value)


async def test_the_dry_run_calls_tools_first_and_then_answers() -> None:
    calls = '[{"name": "web_search", "input": {"query": "q"}}, {"name": "files__clock"}]'
    first = await dry_turn(calls, "web_search", "files__clock")
    assert first["tool_calls"] == [
        {"id": "call_1_1", "name": "web_search", "input": {"query": "q"}},
        {"id": "call_1_2", "name": "files__clock", "input": {}},
    ]
    assert (first["content"], first["stop_reason"]) == ("", "tool_use")
    answer = {"role": "tool", "id": "call_1_1", "name": "web_search", "content": "found"}
    then = await dry_turn(calls, "web_search", messages=[as_message(first), answer])
    assert (then["content"], then["tool_calls"], then["stop_reason"]) == ("done", [], "end_turn")
    only_offered = await dry_turn(calls, "files__clock")
    assert [call["name"] for call in only_offered["tool_calls"]] == ["files__clock"]


async def test_the_dry_run_says_which_tools_a_prompt_offers() -> None:
    with pytest.raises(HostError) as caught:
        await dry_turn('{"name": "web_serach"}', "web_search", "files__clock")
    assert "CHIDORI_TEST_LLM_TOOL_CALL calls web_serach" in str(caught.value)
    assert "offers only web_search, files__clock" in str(caught.value)
