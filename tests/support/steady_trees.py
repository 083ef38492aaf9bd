"""Random agents with branches, sub-agents and tools whose output does not depend on what happens when."""

import re
from collections.abc import Mapping
from itertools import count

from hypothesis import strategies as st

_FUNCTIONS = """
  const send = async (name: string): Promise<string> =>
    (await chidori.http(`${input.url}/${input.name}/${name}`, { method: "POST", body: name })).body.answer;
  const look = async (name: string): Promise<string> =>
    (await chidori.http(`${input.url}/${input.name}/${name}`)).body.answer;
  const remember = async (name: string) => {
    await chidori.memory("set", `${input.name}/${name}`, { name });
    return await chidori.memory("get", `${input.name}/${name}`);
  };
  const fail = async (name: string): Promise<string> => { throw new Error(`no ${name}: ${await send(name)}`); };
  const caught = (work: () => Promise<any>) =>
    chidori.tryCall(work).then((tried: any) => tried.ok || tried.error.message);
  const told = (all: any[]) => all.map((each) => each.status === "rejected" ? each.reason.message : each.value);
  const child = (name: string) => chidori.callAgent("child.ts", { url: input.url, name: `${input.name}-${name}` });
  const tool = (name: string) => chidori.tool("helper", { url: input.url, name: `${input.name}-${name}` });
"""
_AGENT = (
    "export async function agent(input: any, chidori: any) {"
    + _FUNCTIONS
    + "  const shared = chidori.http(`${input.url}/${input.name}/shared`);\n"
)
_TOOL = (
    'export const tool = { name: "helper", description: "Helps.", parameters: { type: "object" } };\n'
    + "export async function run(input: any, chidori: any) {"
    + re.sub("  const tool = .*\n", "", _FUNCTIONS)
)


def _leaf(*more: str) -> st.SearchStrategy[str]:
    return st.sampled_from(('send("@")', 'look("@")', 'remember("@")', 'caught(() => fail("@"))', *more))


def _nested(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = st.lists(children, min_size=1, max_size=3)
    limits = st.sampled_from(("", "concurrency: 1", "concurrency: 2"))

    def thunks(made: list[str], *more: str) -> str:
        return ", ".join(f"() => {part}" for part in (*made, *more))

    return st.one_of(
        parts.map(lambda made: f"Promise.all([{', '.join(made)}])"),
        parts.map(lambda made: f"(async () => [{', '.join(f'await {part}' for part in made)}])()"),
        st.builds(lambda made, limit: f"chidori.parallel([{thunks(made)}], {{ {limit} }})", parts, limits),
        st.builds(
            lambda made, limit: (
                f"chidori.parallel([{thunks(made, 'fail(`@`)')}], {{ settle: true, {limit} }}).then(told)"
            ),
            parts,
            limits,
        ),
    )


def _source(head: str, parts: list[str]) -> str:
    numbers = count(1)
    body = ", ".join(f"await {part}" for part in parts)
    return head + re.sub("@", lambda _: str(next(numbers)), f"  return [{body}];\n}}\n")


def steady_trees() -> st.SearchStrategy[Mapping[str, str]]:
    """Source files by name: an agent, a sub-agent and a tool. Their input has the ``url`` of a server whose answers
    depend on the path alone, and a ``name`` with which the paths begin. No path is asked for by two calls."""
    shared = "shared.then((got: any) => got.body.answer)"
    part = st.recursive(_leaf(shared, 'child("@")', 'tool("@")'), _nested, max_leaves=8)
    small = st.recursive(_leaf(shared, 'tool("@")'), _nested, max_leaves=4)
    flat = st.recursive(_leaf(), _nested, max_leaves=2)

    def made(head: str, strategy: st.SearchStrategy[str], most: int, *last: str) -> st.SearchStrategy[str]:
        return st.lists(strategy, min_size=1, max_size=most).map(lambda parts: _source(head, [*parts, *last]))

    # Whether a call that nobody waits for is answered in time depends on what happens when.
    return st.fixed_dictionaries(
        {
            "agent.ts": made(_AGENT, part, 4, shared),
            "child.ts": made(_AGENT, small, 2, shared),
            "tools/helper.ts": made(_TOOL, flat, 2),
        }
    )
