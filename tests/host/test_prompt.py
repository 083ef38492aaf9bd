"""The host function prompt against a real HTTP server, through the real litellm."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from chidori_actors.host.function import HostCall, HostError, HostResult, HostServices, ToolDefinition
from chidori_actors.host.prompt import FUNCTION, record_args, run_prompt
from chidori_actors.host.resources import Resources
from chidori_actors.host.secrets import Secrets
from chidori_actors.settings import load_settings
from tests.support.litellm_warnings import LITELLM_WARNINGS
from tests.support.openai_server import OpenAIServer, Scripted
from tests.support.process import run_python
from tests.support.services import FakeTools

pytestmark = LITELLM_WARNINGS

KEY = "sk-test-0123456789abcdef"
WAIT_S = 30


@dataclass
class RecordedEvents:
    """What was streamed: ``("start" | "delta" | "end", stream_id, …)``."""

    seen: list[tuple[Any, ...]] = field(default_factory=list)
    first_delta: asyncio.Event = field(default_factory=asyncio.Event)

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None:
        self.seen.append(("start", stream_id, seq, prompt_type, model))

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None:
        self.seen.append(("delta", stream_id, seq, prompt_type, delta))
        self.first_delta.set()

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None:
        self.seen.append(("end", stream_id, seq, prompt_type, error))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [event for event in self.seen if event[0] == kind]


class Absent:
    """Stands where prompt must not look."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"prompt used {name}")


@dataclass
class Bench:
    """Everything one test needs: the server, the services and the waits between attempts."""

    server: OpenAIServer
    services: HostServices
    events: RecordedEvents
    waited: list[float] = field(default_factory=list)

    async def prompt(self, text: str = "hello", **options: Any) -> HostResult:
        async def no_wait(seconds: float) -> None:
            self.waited.append(seconds)

        return await run_prompt(call_of(text, **options), self.services, sleep=no_wait)


def call_of(text: str, **options: Any) -> HostCall:
    args = record_args({"text": text, **options}, "gpt-4o")
    return HostCall(run_id="run", path="4", seq=9, function="prompt", args=args, at_ms=0)


def services_with(
    environ: dict[str, str], events: RecordedEvents, resources: Resources, tools: Sequence[ToolDefinition] = ()
) -> HostServices:
    absent: Any = Absent()
    return HostServices(
        settings=load_settings(environ),
        run_id="run",
        default_model="gpt-4o",
        questions=absent,
        events=events,
        memory=absent,
        secrets=Secrets(environ, "seed", lambda name: None),
        refusal=lambda target, args: None,
        read_template=lambda path: None,
        resources=resources,
        tools=FakeTools(tools),
        noted=lambda text: None,
    )


@pytest.fixture(autouse=True)
def no_keys_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL")):
            monkeypatch.delenv(name)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    events, resources = RecordedEvents(), Resources()
    async with OpenAIServer() as server:
        environ = {"LITELLM_API_URL": server.url, "LITELLM_API_KEY": KEY}
        yield Bench(server, services_with(environ, events, resources), events)
        await resources.aclose()


async def dry_run(response: str, text: str = "hello", **options: Any) -> tuple[HostResult, RecordedEvents]:
    events = RecordedEvents()
    services = services_with({"CHIDORI_TEST_LLM_RESPONSE": response}, events, Resources())
    return await run_prompt(call_of(text, **options), services), events


async def failure_of(make: Callable[[], Any]) -> HostError:
    with pytest.raises(HostError) as caught:
        await make()
    return caught.value


async def test_a_prompt_is_one_streamed_request_with_its_usage(bench: Bench) -> None:
    result = await bench.prompt("two words", system="be brief", type="final", max_tokens=50, temperature=0.2)
    assert orjson.loads(result.value) == "answer(two words)#1"
    assert result.token_usage == {"input_tokens": 4, "output_tokens": 2}
    assert result.notes == {"provider": f"openai ({bench.server.url})"}
    assert bench.server.chat_requests == 1
    request = bench.server.requests[-1]
    assert request["path"] == "/v1/chat/completions"
    assert request["authorization"] == f"Bearer {KEY}"
    assert request["body"] == {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "two words"},
        ],
        "max_tokens": 50,
        "temperature": 0.2,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    (start,), (end,), deltas = bench.events.of("start"), bench.events.of("end"), bench.events.of("delta")
    assert start[2:] == (9, "final", "gpt-4o")
    assert end == ("end", start[1], 9, "final", None)
    assert len(deltas) > 1
    assert "".join(delta[4] for delta in deltas) == "answer(two words)#1"
    assert [event[0] for event in bench.events.seen] == ["start", *["delta"] * len(deltas), "end"]


@pytest.mark.parametrize("model", ["openai/gpt-4o", "anthropic/claude-sonnet-4-5", "o1-pro", "mystery"])
async def test_every_model_reaches_the_one_endpoint_under_its_own_name(bench: Bench, model: str) -> None:
    await bench.prompt(model=model, max_tokens=7)
    assert bench.server.requests[-1]["path"] == "/v1/chat/completions"
    assert bench.server.requests[-1]["body"]["model"] == model
    assert bench.server.requests[-1]["body"]["max_tokens"] == 7


async def test_an_endpoint_without_a_key_is_not_given_another_providers_key(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-belongs-to-openai")
    environ = {"LITELLM_API_URL": bench.server.url, "OPENAI_API_KEY": "sk-belongs-to-openai"}
    await run_prompt(call_of("x"), services_with(environ, bench.events, bench.services.resources))
    assert "sk-belongs" not in bench.server.requests[-1]["authorization"]


async def test_prompts_overlap(bench: Bench) -> None:
    replies = await asyncio.gather(*(bench.prompt(f"[delay=300] {n}") for n in range(4)))
    assert [orjson.loads(reply.value) for reply in replies] == [f"answer([delay=300] {n})#1" for n in range(4)]
    assert bench.server.max_in_flight == 4
    assert len({start[1] for start in bench.events.of("start")}) == 4


async def test_usage_that_the_provider_did_not_send_stays_unknown(bench: Bench) -> None:
    bench.server.script.append(Scripted(usage=False))
    assert (await bench.prompt()).token_usage is None


async def test_tokens_read_from_the_cache_are_counted(bench: Bench) -> None:
    bench.server.script.append(Scripted(cached_tokens=1))
    result = await bench.prompt("one two")
    assert result.token_usage == {"input_tokens": 2, "output_tokens": 2, "cache_read_input_tokens": 1}


async def test_a_refused_request_is_tried_again_as_the_provider_asks(bench: Bench) -> None:
    bench.server.script.extend(
        [Scripted(status=429, retry_after="7", message="slow down"), Scripted(status=503, message="busy")]
    )
    result = await bench.prompt()
    assert orjson.loads(result.value) == "answer(hello)#3"
    assert bench.waited[0] == 7
    assert 1 <= bench.waited[1] <= 1.1
    named = f"openai ({bench.server.url}) answered"
    attempts = result.notes["attempts"]
    assert attempts[0] == {"error": f"{named} 429: slow down", "status": 429, "wait_ms": 7000}
    assert (attempts[1]["error"], attempts[1]["status"]) == (f"{named} 503: busy", 503)
    starts, ends = bench.events.of("start"), bench.events.of("end")
    assert len({start[1] for start in starts}) == 3
    assert [end[4] for end in ends] == [f"{named} 429: slow down", f"{named} 503: busy", None]


async def test_three_attempts_are_all(bench: Bench) -> None:
    bench.server.script.extend([Scripted(status=500, message="boom", retry_after="0")] * 5)
    error = await failure_of(bench.prompt)
    assert str(error) == f"prompt: openai ({bench.server.url}) answered 500: boom (after 3 attempts)"
    assert error.data == {"status": 500, "provider": "openai", "model": "gpt-4o"}
    assert [attempt["wait_ms"] for attempt in error.notes["attempts"]] == [0, 0, 0]
    assert bench.server.chat_requests == 3
    assert bench.waited == [0, 0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_request_that_cannot_succeed_fails_at_once(bench: Bench, status: int) -> None:
    bench.server.script.append(Scripted(status=status, message=f"Incorrect API key provided: {KEY}"))
    error = await failure_of(bench.prompt)
    assert str(error) == (
        f"prompt: openai ({bench.server.url}) answered {status}: Incorrect API key provided: [redacted]"
    )
    assert error.data["status"] == status
    assert bench.server.chat_requests == 1
    assert KEY not in repr(bench.events.seen)


@pytest.mark.parametrize("deltas", [0, 2])
async def test_a_broken_stream_is_a_new_attempt_with_a_new_stream(bench: Bench, deltas: int) -> None:
    bench.server.script.append(Scripted(reset_after=deltas))
    result = await bench.prompt()
    assert orjson.loads(result.value) == "answer(hello)#2"
    (attempt,) = result.notes["attempts"]
    assert attempt["status"] is None
    assert "broke off its answer" in attempt["error"]
    broken, whole = bench.events.of("start")
    assert broken[1] != whole[1]
    assert [end[1] for end in bench.events.of("end")] == [broken[1], whole[1]]
    assert bench.events.of("end")[0][4] == attempt["error"]
    assert sum(delta[1] == broken[1] for delta in bench.events.of("delta")) == deltas


async def test_an_unreachable_endpoint_is_named(bench: Bench) -> None:
    async with OpenAIServer() as gone:
        environ = {"LITELLM_API_URL": gone.url.replace("//", "//user:hunter22@"), "LITELLM_API_KEY": KEY}
    bench.services = services_with(environ, bench.events, bench.services.resources)
    error = await failure_of(bench.prompt)
    assert f"openai ({gone.url}) could not be asked: " in str(error)
    assert "hunter22" not in str(error)
    assert error.data["status"] is None
    assert len(error.notes["attempts"]) == 3


@pytest.mark.parametrize("step", [Scripted(hold_after=2), Scripted(delay_ms=60_000)])
async def test_cancelling_closes_the_request(bench: Bench, step: Scripted) -> None:
    bench.server.script.append(step)
    prompt = asyncio.create_task(bench.prompt())
    reached = bench.server.holding if step.hold_after else bench.server.received
    await asyncio.wait_for(reached.wait(), WAIT_S)
    prompt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await prompt
    await asyncio.wait_for(bench.server.disconnected.wait(), WAIT_S)
    assert bench.events.of("end")[-1][4] == "cancelled"
    assert bench.server.chat_requests == 1


async def test_deltas_come_while_the_model_still_writes(bench: Bench) -> None:
    bench.server.script.append(Scripted(hold_after=1))
    prompt = asyncio.create_task(bench.prompt())
    await asyncio.wait_for(bench.events.first_delta.wait(), WAIT_S)
    assert not prompt.done()
    prompt.cancel()
    await asyncio.wait([prompt])


async def test_a_reply_cut_by_the_cap_is_reported(bench: Bench) -> None:
    bench.server.script.append(Scripted(finish_reason="length"))
    result = await bench.prompt(max_tokens=3)
    assert result.notes == {
        "provider": f"openai ({bench.server.url})",
        "finish_reason": "length",
        "warnings": ["the reply was cut at max_tokens=3"],
    }


async def test_an_empty_reply_is_an_empty_text_with_a_warning(bench: Bench) -> None:
    bench.server.script.append(Scripted(empty=True))
    result = await bench.prompt()
    assert (result.value, result.notes["warnings"]) == (b'""', ["the reply is empty"])


async def test_half_an_emoji_ends_no_prompt(bench: Bench) -> None:
    bench.server.script.append(Scripted(content="cut \ud83d here"))
    result = await bench.prompt("half \ud83d and pair \ud83d\ude00")
    assert orjson.loads(result.value) == "cut � here"
    assert bench.server.requests[-1]["body"]["messages"][0]["content"] == "half � and pair 😀"
    assert "\ud83d" not in repr(bench.events.seen)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"a": [1, "x"]}', b'{"a":[1,"x"]}'),
        ('```json\n{"a": 1}\n```', b'{"a":1}'),
        ("Here you are:\n```\n[1, 2]\n```\nDone.", b"[1,2]"),
        ('{"e": "\\ud83d"}', '{"e":"\ufffd"}'.encode()),
        ("17", b"17"),
    ],
)
async def test_json_is_asked_for_and_parsed(bench: Bench, reply: str, value: bytes) -> None:
    bench.server.script.append(Scripted(content=reply))
    assert (await bench.prompt(format="json")).value == value
    assert bench.server.requests[-1]["body"]["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize("reply", ["Sure! " + "x" * 300, '{"a": NaN}', '{"a": 1e999}', "[" * 100_000, ""])
async def test_a_reply_that_is_no_json_fails_clearly_unless_not_strict(reply: str) -> None:
    error = await failure_of(lambda: dry_run(reply, format="json"))
    assert str(error).startswith("prompt: the reply did not parse as JSON")
    assert reply[:200] in str(error)
    assert len(str(error)) < 350
    assert error.token_usage is not None
    assert error.notes["provider"] == "test"
    lenient, _ = await dry_run(reply, format="json", strict=False)
    assert orjson.loads(lenient.value) == reply


def test_the_dry_run_answers_any_model_without_litellm() -> None:
    program = (
        "import asyncio, sys; from tests.host.test_prompt import dry_run;"
        "result, events = asyncio.run(dry_run('a fixed answer', 'three words here', model='no/such'));"
        "assert result.value == b'\"a fixed answer\"', result;"
        "assert result.token_usage == {'input_tokens': 3, 'output_tokens': 3}, result;"
        "assert result.notes == {'provider': 'test'}, result;"
        "assert 1 < len(events.of('delta')) <= 4, events;"
        "assert ''.join(e[4] for e in events.of('delta')) == 'a fixed answer', events;"
        "sys.exit('litellm' in sys.modules)"
    )
    done = run_python(program)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("model", "ways"),
    [
        ("claude-sonnet-4-5", ["ANTHROPIC_API_KEY"]),
        ("gpt-4o", ["OPENAI_API_KEY"]),
        ("gemini/gemini-2.5-pro", ["GEMINI_API_KEY"]),
        ("mystery", ["openai/mystery"]),
    ],
)
async def test_without_a_provider_the_ways_to_set_one_are_named(model: str, ways: list[str]) -> None:
    resources = Resources()
    services = services_with({}, RecordedEvents(), resources)
    error = await failure_of(lambda: run_prompt(call_of("x", model=model), services))
    await resources.aclose()
    for way in [*ways, "LITELLM_API_URL", "LITELLM_API_KEY", "CHIDORI_TEST_LLM_RESPONSE", model]:
        assert way in str(error)
    assert error.data["model"] == model


async def test_a_provider_of_its_own_is_named_in_its_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_BASE", bench.server.root)
    environ = {"ANTHROPIC_API_KEY": "sk-ant-0123456789"}
    services = services_with(environ, bench.events, bench.services.resources)
    error = await failure_of(lambda: run_prompt(call_of("x", model="claude-sonnet-4-5"), services))
    assert str(error) == "prompt: anthropic answered 404: 404: Not Found"


def test_the_recorded_args_are_the_request_and_its_digest() -> None:
    args = record_args({"text": "t", "max_tokens": 5, "format": "json", "strict": False}, "gpt-4o")
    digest = args.pop("request_digest")
    assert args == {
        "text": "t",
        "model": "gpt-4o",
        "type": None,
        "max_tokens": 5,
        "format": "json",
        "strict": False,
    }
    assert digest.startswith("sha256:")
    assert len(digest) == len("sha256:") + 64
    same = record_args({"format": "json", "max_tokens": 5, "type": "label", "text": "t"}, "gpt-4o")
    assert same["request_digest"] == digest
    other = record_args({"text": "t", "max_tokens": 6, "format": "json"}, "gpt-4o")
    assert other["request_digest"] != digest


def test_a_prompt_names_its_model_or_takes_the_runs_or_the_default() -> None:
    assert record_args({"text": "t", "model": "m"}, "run-model")["model"] == "m"
    assert record_args({"text": "t"}, "run-model")["model"] == "run-model"
    assert record_args({"text": "t"}, None)["model"] == "claude-sonnet-4-5"
    assert FUNCTION.name == "prompt"
    assert FUNCTION.record_args is record_args


def test_half_an_emoji_is_recorded_as_the_replacement_character() -> None:
    assert record_args({"text": "a\ud83d"}, None)["text"] == "a�"
