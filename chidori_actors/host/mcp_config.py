"""The file that names a run's MCP servers (``CHIDORI_MCP_CONFIG``)."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ..errors import UsageError
from ..urls import parse_http_url
from ..variable_references import BadReference, fill_references

# `a_` and `__`: the tool `t` of server `a_` would be `a___t`, which reads as `_t` of `a`.
_SERVER_NAME = re.compile(r"(?!.*__)[A-Za-z0-9_-]*[A-Za-z0-9-]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_SERVER_TYPES = {"command": ("stdio",), "url": ("http", "streamable-http", "streamableHttp")}
_SERVER_FIELDS = {"command": ("command", "args", "env", "cwd", "type"), "url": ("url", "headers", "type")}
_EXAMPLE = (
    'write {"mcpServers": {"NAME": {"command": "…", "args": ["…"], "env": {"KEY": "${VARIABLE}"}}}}, '
    'or {"url": "https://…", "headers": {…}} for a server that is reached over HTTP'
)
# What every stdio server is given anyway, so that it is no secret before the servers, and what stands in paths.
_PUBLIC_VARIABLES = frozenset(("HOME", "LOGNAME", "PATH", "PWD", "SHELL", "TERM", "TMPDIR", "USER"))


@dataclass(frozen=True, slots=True)
class StdioServer:
    """A server that is started as a process and spoken to over its standard input and output.

    ``cwd`` and a relative ``command`` are seen from where chidori was started. ``env`` is added to the few
    variables that every server gets.
    """

    name: str
    command: str
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None


@dataclass(frozen=True, slots=True)
class UrlServer:
    """A server that is reached over streamable HTTP."""

    name: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


ServerConfig = StdioServer | UrlServer


@dataclass(frozen=True, slots=True)
class McpConfig:
    """The servers by name, and the values of the variables that went into their environments, headers and URLs."""

    path: Path
    servers: Mapping[str, ServerConfig]
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)


def load_mcp_config(path: Path, environ: Mapping[str, str]) -> McpConfig:
    """Read the file; ``${NAME}`` in ``args``, ``env``, ``url`` and ``headers`` is taken from ``environ``.

    Raises:
        UsageError: the file cannot be read or does not say what it must; the message names file and place.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path}: the MCP configuration cannot be read: {error.strerror}",
            hint="correct CHIDORI_MCP_CONFIG, or unset it to run without MCP servers",
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: the MCP configuration is not valid JSON: {error}", hint=_EXAMPLE) from error
    reader = _Reader(path, environ)
    servers = document.get("mcpServers") if isinstance(document, dict) else None
    if not isinstance(servers, dict):
        reader.fail("mcpServers", "must be an object that holds a server for each name")
    for name, entry in servers.items():
        reader.server(name, entry)
    return McpConfig(path, reader.servers, reader.credentials)


class _Reader:
    """Reads one file; every place in it is written ``mcpServers.NAME.field``."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.servers: dict[str, ServerConfig] = {}
        self.credentials: dict[str, str] = {}
        self._path = path
        self._environ = environ

    def fail(self, place: str, fault: str, hint: str = _EXAMPLE) -> NoReturn:
        raise UsageError(f"{self._path}: `{place}` {fault}", hint=hint)

    def server(self, name: str, entry: object) -> None:
        place = f"mcpServers.{name}"
        if not _SERVER_NAME.fullmatch(name):
            hint = "use letters, digits, `-` and single `_`, not at the end: its tools are named NAME__TOOL"
            self.fail(place, "is not a name that a server can have", hint)
        if twin := next((other for other in self.servers if other.lower() == name.lower()), None):
            self.fail(place, f"differs from `{twin}` in nothing but upper and lower case", "rename one of them")
        if not isinstance(entry, dict):
            self.fail(place, "must be an object")
        kinds = [kind for kind in _SERVER_FIELDS if kind in entry]
        if len(kinds) != 1:
            self.fail(place, f"must have {'only one' if kinds else 'one'} of `command` and `url`")
        self._refuse_unknown(place, entry, kinds[0])
        if kinds[0] == "command":
            self.servers[name] = self._stdio(place, name, entry)
        else:
            self.servers[name] = self._url(place, name, entry)

    def _refuse_unknown(self, place: str, entry: dict[str, Any], kind: str) -> None:
        for name in entry:
            if name not in _SERVER_FIELDS[kind]:
                known = ", ".join(_SERVER_FIELDS[kind])
                self.fail(place, f"has an unknown field `{name}`; with `{kind}` there are {known}")
        if (given := entry.get("type", _SERVER_TYPES[kind][0])) not in _SERVER_TYPES[kind]:
            self.fail(f"{place}.type", f"is {json.dumps(given)}; with `{kind}` it is {_SERVER_TYPES[kind][0]}")

    def _stdio(self, place: str, name: str, entry: dict[str, Any]) -> StdioServer:
        args = entry.get("args", [])
        if not isinstance(args, list):
            self.fail(f"{place}.args", "must be an array of strings")
        cwd = entry.get("cwd")
        environment = self._table(f"{place}.env", entry.get("env", {}))
        for variable in environment:
            if not variable or "=" in variable or "\0" in variable:
                self.fail(f"{place}.env", f"has {json.dumps(variable)}, which is not the name of a variable")
        return StdioServer(
            name=name,
            command=self._text(f"{place}.command", entry["command"]),
            # Not remembered as secrets: arguments are mostly paths, which results speak of.
            args=tuple(self._filled(f"{place}.args[{index}]", arg, secret=False) for index, arg in enumerate(args)),
            env=environment,
            cwd=None if cwd is None else self._text(f"{place}.cwd", cwd),
        )

    def _url(self, place: str, name: str, entry: dict[str, Any]) -> UrlServer:
        url = self._filled(f"{place}.url", entry["url"])
        try:
            password = parse_http_url(url).password
        except ValueError as error:
            self.fail(f"{place}.url", f"cannot be used: {error}", "write an absolute http or https URL")
        if password is not None:
            self.credentials[f"{place}.url"] = password
        headers = self._table(f"{place}.headers", entry.get("headers", {}))
        for header, value in headers.items():
            if not _HEADER_NAME.fullmatch(header):
                self.fail(f"{place}.headers", f"has {json.dumps(header)}, which is not the name of a header")
            if not _HEADER_VALUE.fullmatch(value):
                hint = "look for a line break at the end of the variable's value"
                self.fail(f"{place}.headers.{header}", "has a character that a header cannot hold", hint)
        return UrlServer(name, url, headers)

    def _table(self, place: str, given: object) -> dict[str, str]:
        if not isinstance(given, dict):
            self.fail(place, "must be an object of strings")
        return {name: self._filled(f"{place}.{name}", value) for name, value in given.items()}

    def _text(self, place: str, given: object) -> str:
        if not isinstance(given, str) or not given or "\0" in given:
            self.fail(place, "must be a string that is not empty")
        return given

    def _filled(self, place: str, given: object, secret: bool = True) -> str:
        if not isinstance(given, str) or "\0" in given:
            self.fail(place, "must be a string")
        try:
            text, used = fill_references(given, self._environ)
        except BadReference as error:
            self.fail(place, str(error), error.hint)
        for name, value in used.items():
            if secret and name not in _PUBLIC_VARIABLES and not _names_file(value):
                self.credentials[name] = value
        return text


def _names_file(value: str) -> bool:
    """Paths come back in results, where an agent needs them as they are."""
    try:
        return value.startswith("/") and Path(value).exists()
    except (OSError, ValueError):
        return False
