"""What must hold when a run is stopped, repeated or owned at an awkward moment."""

import asyncio
from pathlib import Path

import pytest

from chidori_actors.errors import UsageError
from chidori_actors.host.function import HostCall, HostError, HostResult, HostServices
from chidori_actors.journal.images import newest_image
from chidori_actors.journal.lanes import Settled, read_lane
from chidori_actors.journal.runs import get_run
from chidori_actors.session import actor_images
from chidori_actors.session.attendance import Attendance
from chidori_actors.vm.machine import Bounds
from tests.support.agents import (
    RecordingObserver,
    functions_with,
    output_of,
    runtime_in,
    start,
    use_functions,
    within,
    write_agent,
)

AGENT = "export async function agent(input: any, chidori: any) {\n"
RUN = "test-run"


@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
async def test_an_image_knows_the_calls_that_its_vm_made_and_gave_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is in the lane but not delivered while a step makes a call, gives it up, and an image is taken."""
    monkeypatch.setattr(actor_images, "_IMAGE_WORTH", 0)
    path = write_agent(
        tmp_path,
        AGENT
        + """await chidori.log("warm");
        const second = chidori.log("second");
        await chidori.log("first");
        clearTimeout(setTimeout(() => {}, 60000));
        await second;
        return await chidori.log("last"); }""",
    )
    first, last = asyncio.Event(), asyncio.Event()
    async with runtime_in(tmp_path, image_every=2) as runtime:

        def settled() -> int:
            return sum(isinstance(e, Settled) for e in read_lane(runtime.store, get_run(runtime.store, RUN).lane))

        async def log(call: HostCall, services: HostServices) -> HostResult:
            if call.args["message"] == "first":
                first.set()
            elif call.args["message"] == "second":
                await first.wait()
                # The event loop stands still meanwhile, so "first" is durable and nobody has heard of it.
                assert any(settled() == 2 for _ in range(100_000))
            elif call.args["message"] == "last":
                last.set()
                await asyncio.Event().wait()
            return HostResult(b"null")

        use_functions(monkeypatch, functions_with(log=log))
        running = asyncio.create_task(start(runtime, path))
        await within(10, last.wait())
        running.cancel()
        await asyncio.wait([running])
    monkeypatch.undo()
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await within(10, runtime.resume(RUN))) is None


@pytest.mark.only_local("hosts of a cluster have bounds of their own", also="hosts")
async def test_a_run_in_the_pool_may_be_cancelled_again_and_again(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + "await chidori.log('x'); let n = 0; for (;;) n++; }")
    async with runtime_in(tmp_path, bounds=Bounds(step_seconds=1)) as runtime:
        answered = asyncio.Event()
        observer = RecordingObserver(when_ended=lambda path: answered.set())
        running = asyncio.create_task(start(runtime, path, attendance=Attendance(observer)))
        await within(10, answered.wait())
        while not running.done():
            await asyncio.wait([running], timeout=0.05)
            running.cancel()
        assert running.cancelled()


async def test_one_of_several_runs_with_one_id_is_made(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + "return 1; }")
    async with runtime_in(tmp_path) as runtime:
        await start(runtime, path, run_id="warm")  # the first run of a process is too slow for the race
        ended = await within(30, asyncio.gather(*(start(runtime, path) for _ in range(3)), return_exceptions=True))
        assert sum(not isinstance(end, BaseException) for end in ended) == 1
        assert any(isinstance(end, UsageError) for end in ended)


async def test_closing_the_runtime_cancels_a_run_and_gives_its_lease_free(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + "await new Promise((r) => setTimeout(r, 60000)); }")
    called = asyncio.Event()
    observer = RecordingObserver(when_started=lambda path, call: called.set())
    async with runtime_in(tmp_path) as runtime:
        running = asyncio.create_task(start(runtime, path, attendance=Attendance(observer)))
        await within(10, called.wait())
    await asyncio.wait([running])
    assert running.cancelled()


@pytest.mark.parametrize("error", [HostError("half \ud83d"), HostError("x", data={"n": 2**70})])
@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
async def test_an_error_that_orjson_refuses_reaches_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: HostError
) -> None:
    async def log(call: HostCall, services: HostServices) -> HostResult:
        raise error

    use_functions(monkeypatch, functions_with(log=log))
    path = write_agent(tmp_path, AGENT + "try { await chidori.log('x'); } catch (e: any) { return e.message; } }")
    async with runtime_in(tmp_path) as runtime:
        result = await start(runtime, path)
        assert output_of(result) == str(error).replace("\ud83d", "\ufffd")
        assert output_of(await runtime.replay(RUN)) == output_of(result)


async def test_a_function_named_by_half_an_emoji_makes_calls(tmp_path: Path) -> None:
    path = write_agent(tmp_path, AGENT + r"const o: any = {['\ud83d']: async () => await chidori.log('x')};"
        "return await o['\\ud83d'](); }")  # fmt: skip
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await start(runtime, path)) is None


@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
async def test_large_answers_that_come_together_need_no_more_memory_than_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = asyncio.Barrier(8)

    async def log(call: HostCall, services: HostServices) -> HostResult:
        await together.wait()
        return HostResult(b'"' + b"x" * (2 << 20) + b'"')

    use_functions(monkeypatch, functions_with(log=log))
    path = write_agent(
        tmp_path,
        AGENT
        + """let n = 0; const one = async () => { const text = await chidori.log("x"); n += text.length; };
        await Promise.all(Array.from({ length: 8 }, one)); return n; }""",
    )
    async with runtime_in(tmp_path, bounds=Bounds(memory_bytes=16 << 20)) as runtime:
        assert output_of(await start(runtime, path)) == 16 << 20
        assert output_of(await runtime.replay(RUN)) == 16 << 20


@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
async def test_a_call_that_cancels_itself_fails_instead_of_waiting_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries with cancel scopes of their own can let a CancelledError out that nobody asked for."""

    async def log(call: HostCall, services: HostServices) -> HostResult:
        raise asyncio.CancelledError

    use_functions(monkeypatch, functions_with(log=log))
    path = write_agent(tmp_path, AGENT + "return (await chidori.tryCall(() => chidori.log('x'))).error; }")
    async with runtime_in(tmp_path) as runtime:
        assert output_of(await within(5, start(runtime, path))) == "log: the call was cancelled from within"


@pytest.mark.only_local("host functions that the test replaces stay in its process", also="hosts")
async def test_a_run_that_is_stopped_leaves_images_and_goes_on_from_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Actors that wait for a call have their VMs stored, so that a resume gives them nothing again."""
    path = write_agent(
        tmp_path,
        AGENT
        + """for (let n = 0; n < 3; n++) await chidori.log(`before ${n}`);
        return await chidori.parallel([
          async () => { await chidori.log("inside"); await chidori.prompt("one"); return 1; },
          async () => { await chidori.prompt("two"); return 2; },
        ]); }""",
    )
    asked: set[str] = set()
    both = asyncio.Event()

    async def prompt(call: HostCall, services: HostServices) -> HostResult:
        asked.add(call.path)
        if len(asked) == 2:
            both.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with runtime_in(tmp_path) as runtime:
        use_functions(monkeypatch, functions_with(prompt=prompt))
        run = asyncio.create_task(start(runtime, path))
        await within(30, both.wait())
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    monkeypatch.undo()
    async with runtime_in(tmp_path) as runtime:
        image, _ = newest_image(runtime.store, get_run(runtime.store, RUN).lane)
        assert image is not None
        assert image.delivered == 3
        again = RecordingObserver()
        result = await within(30, runtime.resume(RUN, attendance=Attendance(again)))
        assert output_of(result) == [1, 2]
        assert [event for event in again.of("call_ended") if event[-1]] == [], "nothing was answered from the record"
