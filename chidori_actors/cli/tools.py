"""``chidori tools``, and the option ``--tools`` of the commands that run agents."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from .. import exact_json
from ..agent_source import FoundTools, check_schemas, folder_beside, load_tools
from ..errors import UsageError
from ..languages.tool_files import FOLDER
from ..settings import Settings, load_settings
from .interruption import run_interruptibly
from .output import write
from .screen import printable
from .tool_lines import tool_lines

if TYPE_CHECKING:
    from .served_tools import ServerTools

EXIT_BROKEN = 1

tools_option = click.option(
    "--tools",
    "tools",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A directory of more tools; later ones override, by name.",
)


@click.command("tools")
@click.argument("file", required=False)
@click.option(
    "-d",
    "--dir",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A directory of tools; later ones override, by name.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tools(file: str | None, folders: tuple[Path, ...], as_json: bool) -> int:
    """List the tools that the agent in FILE has, with their parameters, and those of the MCP servers.

    Without FILE these are the tools of the directories, or of tools/ here.
    """
    settings = load_settings()
    found = check_schemas(load_tools([*_first_folders(file, folders), *folders], settings.runtime_policy))
    asked = _ask_servers(settings)
    if as_json:
        write(_json(found, asked))
    else:
        _show(found, asked)
    for reason in (*(broken.reason for broken in found.broken), *(answer.error for answer in asked)):
        if reason is not None:
            write(printable(f"Error: {reason}"), err=True)
    return EXIT_BROKEN if found.broken or any(answer.error for answer in asked) else 0


def _first_folders(file: str | None, named: tuple[Path, ...]) -> list[Path]:
    if file is None:
        here = Path(FOLDER)
        return [here] if here.is_dir() and not named else []
    if not Path(file).is_file():
        raise UsageError(f"there is no file {file}", hint="name an agent, or a directory of tools with -d")
    return folder_beside(Path(file))


def _ask_servers(settings: Settings) -> "Sequence[ServerTools]":
    if settings.mcp_config is None:
        return ()
    from .served_tools import ask_servers  # brings what only runs need otherwise

    return run_interruptibly(ask_servers(settings.mcp_config, settings))


def _listed(found: FoundTools, asked: "Sequence[ServerTools]") -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Definitions, and where each is from: ``{path}`` or ``{server}``."""
    for tool in found.tools:
        yield exact_json.loads(tool.definition), {"path": tool.bundle.entry}
    for answer in asked:
        for served in answer.tools:
            definition = {"name": served.name, "description": served.description, "parameters": served.input_schema}
            yield definition, {"server": answer.server}


def _show(found: FoundTools, asked: "Sequence[ServerTools]") -> None:
    blocks = []
    for definition, origin in _listed(found, asked):
        place = origin["path"] if "path" in origin else f"MCP server {origin['server']}"
        blocks.append("\n".join(tool_lines(definition, place)))
    write(printable("\n\n".join(blocks) or "no tools"))


def _json(found: FoundTools, asked: "Sequence[ServerTools]") -> bytes:
    """``{tools: [{name, description, parameters, path | server}], broken: [{name, path, reason}],
    failed_servers: [{name, error}]}``."""
    document = {
        "tools": [definition | origin for definition, origin in _listed(found, asked)],
        "broken": [{"name": broken.name, "path": broken.path, "reason": broken.reason} for broken in found.broken],
        "failed_servers": [{"name": answer.server, "error": answer.error} for answer in asked if answer.error],
    }
    return exact_json.dumps(document, option=orjson.OPT_INDENT_2)


COMMANDS: tuple[click.Command, ...] = (tools,)
