"""The MCP servers of one run: their tools are named ``server__tool``."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import exact_json
from ..urls import parse_http_url
from .function import HostError
from .mcp_config import McpConfig, ServerConfig, StdioServer
from .secrets import Secrets
from .unicode import without_lone_surrogates

if TYPE_CHECKING:
    from .mcp_server import McpServer

START_SECONDS = 30.0
_DEEPEST_ARGUMENTS = 100


@dataclass(frozen=True, slots=True)
class McpTool:
    """A tool of a server: ``name`` is ``server__tool``, ``input_schema`` its JSON Schema, whole."""

    name: str
    description: str
    input_schema: dict[str, Any]


class McpServers:
    """Starts each server at its first use and ends them all in ``aclose``.

    Args:
        config: The servers.
        secrets: Fills placeholders in arguments as they are sent; takes values out of everything that comes back.
        warn: Told that a server is started again.
        start_seconds: How long a server may take until it answers.
    """

    def __init__(
        self,
        config: McpConfig,
        secrets: Secrets,
        warn: Callable[[str], None],
        *,
        start_seconds: float = START_SECONDS,
    ) -> None:
        self._config = config
        self._secrets = secrets
        self._warn = warn
        self._start_seconds = start_seconds
        self._used: dict[str, McpServer] = {}
        self._closing = False
        for variable, value in config.credentials.items():
            # Not a placeholder: what an agent reads here must not be filled in when it sends it.
            secrets.remember(value, f"${{{variable}}}")

    @property
    def names(self) -> tuple[str, ...]:
        """The configured servers."""
        return tuple(self._config.servers)

    async def tools(self, server: str) -> Sequence[McpTool]:
        """The tools of a server, which is started when it does not run.

        Raises:
            HostError: there is no server of this name, or it cannot be started.
        """
        used = self._server(server)
        try:
            listed = await used.tools()
        except HostError as error:
            raise self._clean(error) from None
        return tuple(
            McpTool(
                name=f"{server}__{self._clean_text(tool.name)}",
                description=self._clean_text(tool.description or ""),
                input_schema=self._secrets.redact_json(json.loads(without_lone_surrogates(_text(tool.input_schema)))),
            )
            for tool in listed
        )

    async def call(self, name: str, arguments: dict[str, Any]) -> bytes:
        """Call the tool ``server__tool`` and give its result as JSON text.

        A call whose server dies is not made again, because it may have done its work. Cancelling cancels it on the
        server.

        Raises:
            HostError: ``ToolError`` when the tool reports an error; otherwise there is no such tool, its server
                cannot be started or died, or policy does not let a variable go there.
        """
        server, _, tool = name.partition("__")
        used = self._server(server)
        filled = self._filled(self._config.servers[server], arguments)
        try:
            result = await used.call(tool, filled)
        except HostError as error:
            raise self._clean(error) from None
        text = result.decode()
        if self._secrets.redact(text) == text:
            return result
        return exact_json.dumps(self._secrets.redact_json(exact_json.loads(result)))

    async def aclose(self) -> None:
        """End every server; its processes are gone afterwards, also when this is cancelled while it waits."""
        self._closing = True
        for server in self._used.values():
            server.close()
        waiting = asyncio.gather(*(server.closed() for server in self._used.values()))
        cancelled: asyncio.CancelledError | None = None
        while not waiting.done():
            try:
                await asyncio.wait([waiting])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    def _server(self, name: str) -> "McpServer":
        if self._closing:
            raise HostError(f"mcp: server `{name}` was closed with the run")
        config = self._config.servers.get(name)
        if config is None:
            known = ", ".join(self.names) or "none"
            raise HostError(f"mcp: there is no server `{name}` in {self._config.path} (there are: {known})")
        if name not in self._used:
            from .mcp_server import McpServer  # imports `mcp`, which takes 0.6 s

            self._used[name] = McpServer(config, self._warn_cleanly, self._start_seconds)
        return self._used[name]

    def _filled(self, server: ServerConfig, arguments: dict[str, Any]) -> dict[str, Any]:
        if isinstance(server, StdioServer):
            host, port = f"mcp:{server.name.lower()}", None
        else:
            url = parse_http_url(server.url)
            host, port = url.host, url.port

        def fill(value: Any, depth: int = 0) -> Any:
            if depth > _DEEPEST_ARGUMENTS:
                raise HostError(f"mcp: the arguments are nested more than {_DEEPEST_ARGUMENTS} deep")
            if isinstance(value, str):
                return without_lone_surrogates(self._secrets.fill(value, host, port))
            if isinstance(value, list):
                return [fill(item, depth + 1) for item in value]
            if isinstance(value, dict):
                return {fill(name): fill(item, depth + 1) for name, item in value.items()}
            return value

        filled: dict[str, Any] = fill(arguments)
        return filled

    def _clean(self, error: HostError) -> HostError:
        warnings = [self._clean_text(warning) for warning in error.notes.get("warnings", ())]
        return HostError(
            self._clean_text(str(error)), name=error.name, notes={"warnings": warnings} if warnings else None
        )

    def _clean_text(self, text: str) -> str:
        return self._secrets.redact(without_lone_surrogates(text))

    def _warn_cleanly(self, text: str) -> None:
        self._warn(self._clean_text(text))


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False)
