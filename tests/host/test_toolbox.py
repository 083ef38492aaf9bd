"""The tools of a run: definitions, arguments against their schema, names that are unknown."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from chidori_actors.host.function import HostError, ToolDefinition, Tools
from chidori_actors.host.toolbox import McpServers, Toolbox
from chidori_actors.languages.bundle import BrokenTool, Bundle, Module, Tool

FILTERS = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "limit": {"type": "integer", "default": 10, "minimum": 1},
        "filters": {
            "type": "array",
            "items": {"type": "object", "properties": {"name": {"enum": ["a", "b"]}}, "required": ["name"]},
        },
    },
    "required": ["query"],
    "additionalProperties": False,
}


def make_tool(name: str, parameters: dict[str, Any]) -> Tool:
    definition = {"name": name, "description": f"Does {name}.", "parameters": parameters}
    path = f"tools/{name}.ts"
    bundle = Bundle(path, (Module(path, "typescript", "", "", "sha256:0", ()),), ())
    return Tool(name, orjson.dumps(definition).decode(), bundle)


def toolbox(*tools: Tool, broken: Sequence[BrokenTool] = (), mcp: McpServers | None = None) -> Toolbox:
    return Toolbox(tools, broken, mcp)


@dataclass(frozen=True, slots=True)
class ServedTool:
    name: str
    description: str
    input_schema: dict[str, Any]


@dataclass(slots=True)
class Servers:
    """MCP servers whose tools a test may change, as a server does that was started again."""

    served: dict[str, list[ServedTool]]
    asked: list[str] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.served)

    async def tools(self, server: str) -> Sequence[ServedTool]:
        self.asked.append(server)
        return self.served[server]

    async def call(self, name: str, arguments: dict[str, Any]) -> bytes:
        return orjson.dumps([name, arguments])


def one_server(schema: dict[str, Any]) -> Servers:
    return Servers({"calc": [ServedTool("calc__add", "Adds.", schema)]})


async def refusal(box: Toolbox, name: str, arguments: dict[str, Any]) -> HostError:
    with pytest.raises(HostError) as caught:
        await box.validate(name, arguments)
    return caught.value


async def test_definitions_come_in_the_asked_order_with_the_whole_schema() -> None:
    servers = one_server({"type": "object", "properties": {"n": {"type": "number"}}})
    box: Tools = toolbox(make_tool("a", FILTERS), make_tool("b", {"type": "object"}), mcp=servers)
    assert await box.definitions(["b", "calc__add", "a"]) == [
        ToolDefinition("b", "Does b.", {"type": "object"}),
        ToolDefinition("calc__add", "Adds.", servers.served["calc"][0].input_schema),
        ToolDefinition("a", "Does a.", FILTERS),
    ]


async def test_arguments_that_fit_are_accepted() -> None:
    box = toolbox(make_tool("search", FILTERS))
    await box.validate("search", {"query": "x", "limit": 3, "filters": [{"name": "a"}, {"name": "b", "more": 1}]})


async def test_every_fault_is_named_with_its_place() -> None:
    box = toolbox(make_tool("search", FILTERS))
    error = await refusal(box, "search", {"query": 5, "filters": [{"name": "c"}, {}], "x y": 1})
    assert error.name == "ToolArgumentsError"
    assert str(error) == (
        'tool `search`: invalid arguments: Additional properties are not allowed ("x y" was unexpected); '
        '`filters[0].name`: "c" is not one of ["a", "b"]; `filters[1]`: "name" is a required property; '
        '`query`: 5 is not of type "string"'
    )


async def test_a_missing_argument_and_a_boolean_for_a_number_are_faults() -> None:
    box = toolbox(make_tool("search", FILTERS))
    error = await refusal(box, "search", {"limit": True})
    assert '"query" is a required property; `limit`: true is not of type "integer"' in str(error)


@pytest.mark.parametrize(
    ("value", "schema", "told"),
    [
        (None, {"type": ["integer", "string"]}, 'null is not of type "integer", "string"'),
        ({"it's": [True, None]}, {"type": "integer"}, '{"it\'s": [true, null]} is not of type "integer"'),
        ('say "None"\n', {"type": "integer"}, '"say \\"None\\"\\n" is not of type "integer"'),
        ("é", {"enum": [None, False, 1.5]}, '"é" is not one of [null, false, 1.5]'),
        (5, {"const": None}, "null was expected"),
        ("None True", {"pattern": "^False$"}, '"None True" does not match "^False$"'),
    ],
)
async def test_values_are_told_as_json(value: Any, schema: Any, told: str) -> None:
    box = toolbox(make_tool("t", {"type": "object", "properties": {"a b": schema}}))
    error = await refusal(box, "t", {"a b": value})
    assert str(error) == f'tool `t`: invalid arguments: `["a b"]`: {told}'


async def test_of_many_faults_five_are_told() -> None:
    names = [f"n{index}" for index in range(9)]
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    error = await refusal(toolbox(make_tool("t", schema)), "t", dict.fromkeys(names, 1))
    assert str(error).count("is not of type") == 5
    assert str(error).endswith("; and 4 more")


async def test_a_large_argument_is_not_repeated_whole() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    error = await refusal(toolbox(make_tool("t", schema)), "t", {"a": "x" * 100_000})
    assert len(str(error)) < 400
    assert str(error).endswith('is not of type "integer"')


async def test_of_alternatives_the_one_that_was_meant_is_told() -> None:
    either = {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"n": {"type": "integer"}}}]}
    box = toolbox(make_tool("t", {"type": "object", "properties": {"a": either}}))
    assert '`a.n`: "x" is not of type "integer"' in str(await refusal(box, "t", {"a": {"n": "x"}}))


@pytest.mark.parametrize(
    ("draft", "accepted"), [("http://json-schema.org/draft-07/schema#", True), (None, False), ("urn:unknown", False)]
)
async def test_the_draft_is_the_one_that_the_schema_names(draft: str | None, accepted: bool) -> None:
    # An array of schemas under `items` is a tuple in draft 7, and no schema in 2020-12.
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {"items": [{"type": "string"}]}}}
    box = toolbox(make_tool("t", schema | ({"$schema": draft} if draft else {})))
    error = await refusal(box, "t", {"a": [5]})
    assert ('`a[0]`: 5 is not of type "string"' in str(error)) == accepted
    assert ("tools/t.ts are no sound JSON Schema" in str(error)) != accepted


async def test_references_within_the_schema_are_followed() -> None:
    tree = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}
    schema = {"type": "object", "properties": {"root": {"$ref": "#/$defs/tree"}}, "$defs": {"tree": tree}}
    box = toolbox(make_tool("t", schema))
    await box.validate("t", {"root": {"children": [{"children": []}]}})
    error = await refusal(box, "t", {"root": {"children": [{"children": [1]}]}})
    assert '`root.children[0].children[0]`: 1 is not of type "object"' in str(error)


async def test_nothing_is_fetched_for_a_reference() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/schema.json"
        schema = {"type": "object", "properties": {"a": {"$ref": url}}}
        box = toolbox(make_tool("t", schema))
        assert f'"{url}" is not in the schema, and nothing is fetched' in str(await refusal(box, "t", {"a": 1}))
        with pytest.raises(HostError, match="nothing is fetched"):
            await box.definitions(["t"])
        with pytest.raises(BlockingIOError):
            listener.accept()


async def test_a_schema_without_end_is_an_error_of_the_call() -> None:
    box = toolbox(make_tool("t", {"type": "object", "$ref": "#"}))
    error = await refusal(box, "t", {})
    assert "it refers to itself without end" in str(error)
    assert error.name == "Error"


async def test_a_server_checks_its_arguments_itself_when_its_schema_cannot_be_used() -> None:
    servers = one_server({"type": "object", "properties": {"n": {"type": "strin"}}})
    await toolbox(mcp=servers).validate("calc__add", {"n": 5})


async def test_a_servers_tools_are_validated_by_what_it_says_now() -> None:
    servers = one_server({"type": "object", "properties": {"n": {"type": "number"}}})
    box = toolbox(mcp=servers)
    assert '`n`: "x" is not of type "number"' in str(await refusal(box, "calc__add", {"n": "x"}))
    servers.served["calc"] = [ServedTool("calc__add", "Adds.", {"type": "object"})]
    await box.validate("calc__add", {"n": "x"})


async def test_remote_tools_are_called_and_known_by_their_prefix() -> None:
    box = toolbox(make_tool("add", FILTERS), mcp=one_server({}))
    assert box.is_remote("calc__add")
    assert not box.is_remote("add")
    assert not box.is_remote("other__add")
    assert not toolbox().is_remote("calc__add")
    assert await box.call("calc__add", {"n": 1}) == b'["calc__add",{"n":1}]'
    with pytest.raises(HostError, match="Unknown tool: other__add"):
        await box.call("other__add", {})


async def test_a_local_tool_is_found_by_name() -> None:
    tool = make_tool("a", FILTERS)
    assert toolbox(tool).local("a") is tool
    assert toolbox(tool).local("b") is None


BROKEN = BrokenTool("weather", "tools/weather.ts", "tools/weather.ts:3:5: Unexpected `;`")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("zzz", "Unknown tool: zzz (available: search, send_mail)"),
        ("serch", "Unknown tool: serch (available: search, send_mail); did you mean `search`?"),
        (
            "weather",
            "Unknown tool: weather (available: search, send_mail); "
            "tools/weather.ts could not be loaded: tools/weather.ts:3:5: Unexpected `;`",
        ),
        (
            "calc__sub",
            "Unknown tool: calc__sub (available: search, send_mail, calc__add); did you mean `calc__add`?",
        ),
        (
            "mail__zzz",
            "Unknown tool: mail__zzz (available: search, send_mail); there is no MCP server `mail` (configured: calc)",
        ),
    ],
)
async def test_an_unknown_tool_is_told_with_what_there_is(name: str, message: str) -> None:
    servers = one_server({})
    box = toolbox(make_tool("send_mail", FILTERS), make_tool("search", FILTERS), broken=[BROKEN], mcp=servers)
    assert str(await refusal(box, name, {})) == message
    with pytest.raises(HostError) as caught:
        await box.definitions(["search", name])
    assert str(caught.value) == message
    # A server that the name does not speak of is not started for the error's sake.
    assert bool(servers.asked) == name.startswith("calc__")


async def test_without_any_tool_none_is_available() -> None:
    assert str(await refusal(toolbox(), "x", {})) == "Unknown tool: x (available: none)"
