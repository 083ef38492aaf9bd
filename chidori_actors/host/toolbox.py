"""The tools of a run by name: those of files and those of MCP servers (``server__tool``)."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from .. import exact_json
from ..languages.bundle import BrokenTool, Tool
from .function import HostError, JsonObject, ToolDefinition

if TYPE_CHECKING:
    from ..json_schema import ArgumentsSchema

_SEPARATOR = "__"
_MOST_NAMES = 50


class RemoteTool(Protocol):
    """A tool of an MCP server; ``name`` is ``server__tool``, ``input_schema`` its whole JSON Schema."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def input_schema(self) -> dict[str, Any]: ...


class McpServers(Protocol):
    """The MCP servers of a run, which start when they are first used."""

    @property
    def names(self) -> tuple[str, ...]: ...

    async def tools(self, server: str) -> Sequence[RemoteTool]:
        """Raises ``HostError`` when the server does not start or answer."""
        ...

    async def call(self, name: str, arguments: JsonObject) -> bytes:
        """The result as JSON text; raises ``HostError``."""
        ...


class Toolbox:
    """Implements ``Tools`` (function.py)."""

    def __init__(self, tools: Sequence[Tool], broken: Sequence[BrokenTool], mcp: McpServers | None) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._broken = tuple(broken)
        self._mcp = mcp
        self._schemas: dict[str, ArgumentsSchema] = {}

    def local(self, name: str) -> Tool | None:
        """The tool of that name that was found on disk."""
        return self._tools.get(name)

    def is_remote(self, name: str) -> bool:
        """Whether the name is that of a configured server's tool; the server may not have such a tool."""
        return self._server(name) is not None

    async def definitions(self, names: Sequence[str]) -> Sequence[ToolDefinition]:
        """The tools of these names, in their order. MCP servers start for it.

        Raises:
            HostError: a name is unknown, a server does not start, or a tool file's schema is no sound one.
        """
        return [await self._definition(name) for name in names]

    async def validate(self, name: str, arguments: JsonObject) -> None:
        """Check the arguments against the tool's JSON Schema.

        Raises:
            HostError: named ``ToolArgumentsError``, when they break it; as ``definitions`` for the rest.
        """
        definition = await self._definition(name)
        from ..json_schema import UnusableSchema  # 0.1 s; loaded by now

        try:
            schema = self._schema(definition)
            faults = schema.faults(arguments)
        except UnusableSchema as error:
            if self.is_remote(name):
                return  # the server looks at its arguments itself
            raise self._unusable(name, error) from None
        if faults:
            raise HostError(f"tool `{name}`: invalid arguments: {'; '.join(faults)}", name="ToolArgumentsError")

    async def call(self, name: str, arguments: JsonObject) -> bytes:
        """Call an MCP tool; its result as JSON text.

        Raises:
            HostError: the call failed, or there is no such server.
        """
        if self._mcp is None or not self.is_remote(name):
            raise await self._unknown(name)
        return await self._mcp.call(name, arguments)

    async def _definition(self, name: str) -> ToolDefinition:
        if (tool := self._tools.get(name)) is not None:
            return self._local_definition(tool)
        for remote in await self._remote_tools(name):
            if remote.name == name:
                return ToolDefinition(remote.name, remote.description, remote.input_schema)
        raise await self._unknown(name)

    def _local_definition(self, tool: Tool) -> ToolDefinition:
        from ..json_schema import UnusableSchema  # 0.1 s, which runs without tools do not pay

        value = exact_json.loads(tool.definition)
        definition = ToolDefinition(value["name"], value["description"], value["parameters"])
        try:
            self._schema(definition)
        except UnusableSchema as error:
            raise self._unusable(tool.name, error) from None
        return definition

    def _schema(self, definition: ToolDefinition) -> "ArgumentsSchema":
        from ..json_schema import ArgumentsSchema

        known = self._schemas.get(definition.name)
        if known is None or known.schema != definition.parameters:  # a server that was restarted may say otherwise
            known = self._schemas[definition.name] = ArgumentsSchema(definition.parameters)
        return known

    def _unusable(self, name: str, fault: Exception) -> HostError:
        path = self._tools[name].bundle.entry
        return HostError(f"tool `{name}`: the parameters in {path} are no sound JSON Schema: {fault}")

    def _server(self, name: str) -> str | None:
        server, separator, _ = name.partition(_SEPARATOR)
        return server if separator and self._mcp is not None and server in self._mcp.names else None

    async def _remote_tools(self, name: str) -> Sequence[RemoteTool]:
        """All tools of the server that ``name`` is of."""
        server = self._server(name)
        return () if self._mcp is None or server is None else await self._mcp.tools(server)

    async def _unknown(self, name: str) -> HostError:
        available = [*sorted(self._tools), *(remote.name for remote in await self._remote_tools(name))]
        message = f"Unknown tool: {name} (available: {_listed(available)})"
        for broken in self._broken:
            if broken.name == name:
                message += f"; {broken.path} could not be loaded: {broken.reason}"
        server = name.partition(_SEPARATOR)[0]
        if self._mcp is not None and _SEPARATOR in name and not self.is_remote(name):
            message += f"; there is no MCP server `{server}` (configured: {_listed(self._mcp.names)})"
        return HostError(message + _nearest(name, available))


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = len(found) - _MOST_NAMES
    return (", ".join(found[:_MOST_NAMES]) or "none") + (f" and {more} more" if more > 0 else "")


def _nearest(name: str, available: Sequence[str]) -> str:
    from difflib import get_close_matches  # only mistakes need it

    near = get_close_matches(name, available, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
