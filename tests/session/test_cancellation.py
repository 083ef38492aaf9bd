"""Ending an actor: everything inside of it ends at once, and the record says so."""

import asyncio
from pathlib import Path

import pytest

from chidori_actors.errors import ChidoriError
from chidori_actors.journal.actors import run_actors
from chidori_actors.journal.runs import get_run
from chidori_actors.runtime import Runtime
from chidori_actors.session.attendance import Attendance
from chidori_actors.session.context import ActorRef
from tests.support.agents import output_of, pause_of, records_of, runtime_in, start, within, write_agent
from tests.support.openai_server import OpenAIServer

RUN = "test-run"
POST = """const post = async (body: string, delay = 0) =>
  (await chidori.http(`${input.url}?delay=${delay}`, { method: "POST", body })).body.count;
"""
DEEP = {
    "branch": ("chidori.parallel([() => post('inside', 60000)])", {}, "/b0/1"),
    "sub-agent": ("chidori.callAgent('child.ts', input)", {"child": "inside"}, "/1"),
    "tool": ("chidori.tool('t', input)", {"t": "inside"}, "/1"),
    "all of them": (
        "chidori.parallel([() => chidori.callAgent('deep.ts', input)])",
        {"deep": "tool", "t": "inside"},
        "/b0/1/1/b0/1/1",
    ),
}


def agent(body: str) -> str:
    return f"export async function agent(input: any, chidori: any) {{\n{POST}{body}\n}}"


def project(folder: Path, body: str, files: dict[str, str]) -> Path:
    (folder / "tools").mkdir(exist_ok=True)
    held = f"{POST}return post('inside', 60000);"
    for name in files:
        if name == "t":
            text = (
                'export const tool = { name: "t", description: "d", parameters: { type: "object" } };\n'
                f"export async function run(input: any, chidori: any) {{\n{held}\n}}"
            )
            (folder / "tools" / "t.ts").write_text(text)
        elif name == "child":
            (folder / "child.ts").write_text(agent("return post('inside', 60000);"))
        else:
            (folder / "deep.ts").write_text(agent("return chidori.parallel([() => chidori.tool('t', input)]);"))
    return write_agent(folder, agent(body))


def look(runtime: Runtime) -> tuple[dict[str, str | None], dict[str, str]]:
    """Each record's error and each actor's status, by path."""
    errors = {record["path"]: record.get("error") for record in records_of(runtime.store)}
    actors = run_actors(runtime.store, get_run(runtime.store, RUN).lane)
    return errors, {actor.path: actor.status for actor in actors}


@pytest.mark.parametrize("kind", DEEP)
async def test_an_aborted_container_ends_all_that_is_inside(tmp_path: Path, kind: str) -> None:
    expression, files, inside = DEEP[kind]
    expression = expression[:-1] + ", { signal })"
    body = f"""const controller = new AbortController(), signal = controller.signal;
    const held = {expression};
    setTimeout(() => controller.abort(), 600);
    try {{ await held; }} catch (error) {{ return [error.name, await post("after")]; }}"""
    path = project(tmp_path, body, files)
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        result = await within(20, start(runtime, path, {"url": f"{server.root}/count"}))
        assert output_of(result) == ["AbortError", 1]
        await within(10, server.disconnected.wait())
        errors, statuses = look(runtime)
        assert errors["1"] == "cancelled"
        assert errors["1" + inside] == "cancelled: outcome unknown"
        assert set(statuses.values()) == {"cancelled"}
        assert output_of(await runtime.replay(RUN)) == ["AbortError", 1]
        assert server.counted_bodies == {"after": 1}


async def test_a_run_does_not_pause_before_what_it_gave_up_has_ended(tmp_path: Path) -> None:
    expression, files, inside = DEEP["all of them"]
    body = f"""const controller = new AbortController(), signal = controller.signal;
    {expression[:-1]}, {{ signal }}).catch(() => {{}});
    setTimeout(() => controller.abort(), 600);
    return chidori.input("outside");"""
    path = project(tmp_path, body, files)
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        result = await within(20, start(runtime, path, {"url": f"{server.root}/count"}))
        assert [question.prompt for question in pause_of(result).questions] == ["outside"]
        errors, statuses = look(runtime)
        assert (errors["1"], errors["1" + inside]) == ("cancelled", "cancelled: outcome unknown")
        assert set(statuses.values()) == {"cancelled"}


@pytest.mark.parametrize("kind", DEEP)
async def test_what_is_inside_of_a_container_ends_with_its_agent(tmp_path: Path, kind: str) -> None:
    expression, files, inside = DEEP[kind]
    path = project(tmp_path, f"{expression}; await post('own', 500); return 1;", files)
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        assert output_of(await within(20, start(runtime, path, {"url": f"{server.root}/count"}))) == 1
        await within(10, server.disconnected.wait())
        errors, statuses = look(runtime)
        assert (errors["1"], errors["1" + inside]) == ("cancelled", "cancelled: outcome unknown")
        assert set(statuses.values()) == {"cancelled"}
        assert output_of(await runtime.replay(RUN)) == 1


@pytest.mark.parametrize("kind", DEEP)
async def test_a_run_that_is_cancelled_as_a_whole_ends_its_tree(tmp_path: Path, kind: str) -> None:
    expression, files, inside = DEEP[kind]
    path = project(tmp_path, f"return {expression};", files)
    held: list[ActorRef] = []
    async with OpenAIServer() as server, runtime_in(tmp_path) as runtime:
        attendance = Attendance(holding=held.append)
        running = asyncio.create_task(start(runtime, path, {"url": f"{server.root}/count"}, attendance=attendance))
        await within(20, server.until_in_flight(1))
        held[0].cancel()
        result = await within(20, running)
        assert result.meta.status == "cancelled"
        errors, statuses = look(runtime)
        assert errors["1"] == "cancelled"
        assert errors["1" + inside] == "cancelled: outcome unknown"
        assert set(statuses.values()) == {"cancelled"}
        with pytest.raises(ChidoriError, match="was cancelled"):
            await runtime.resume(RUN)


@pytest.mark.parametrize("kind", DEEP)
async def test_a_run_that_is_stopped_records_no_cancellation_and_goes_on(tmp_path: Path, kind: str) -> None:
    expression, files, _ = DEEP[kind]
    path = project(tmp_path, f"return {expression};".replace("60000", "300"), files)
    for file in (tmp_path / "child.ts", tmp_path / "tools" / "t.ts"):
        if file.exists():
            file.write_text(file.read_text().replace("60000", "300"))
    async with OpenAIServer() as server:
        async with runtime_in(tmp_path) as runtime:
            running = asyncio.create_task(start(runtime, path, {"url": f"{server.root}/count"}))
            await within(20, server.until_in_flight(1))
            running.cancel()
            await asyncio.wait([running])
            errors, statuses = look(runtime)
            assert errors == {}
            assert set(statuses.values()) == {"running"}
        async with runtime_in(tmp_path) as runtime:
            result = await within(20, runtime.resume(RUN))
            assert "1" in str(output_of(result))
            assert set(look(runtime)[0].values()) == {None}
            assert len(server.counted_keys) == 1, "the call has its first key whenever it is made again"
