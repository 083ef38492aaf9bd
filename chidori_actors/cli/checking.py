"""``chidori check``."""

from pathlib import Path

import click

from ..agent_source import FoundTools, check_schemas, folder_beside, load_tool, load_tools
from ..errors import SourceError, UsageError
from ..languages.loading import STARLARK, load_bundle, own_exports
from ..session.check import check_agent
from ..settings import Settings, load_settings
from .output import write


@click.command("check")
@click.argument("file")
def check(file: str) -> None:
    """Look for faults in the agent or the tool in FILE without running it; of an agent in its tools/, too."""
    settings = load_settings()
    try:
        found = _tools_of(Path(file), settings)
    except SourceError as fault:
        raise UsageError(str(fault), hint=fault.hint) from fault  # for its exit code
    broken = check_schemas(found).broken if found.tools else found.broken
    if broken:
        raise UsageError("\n".join(tool.reason for tool in broken))
    write(f"OK: {file}")


def _tools_of(path: Path, settings: Settings) -> FoundTools:
    """The tool that the file is, or those of the agent that it is, which is checked."""
    exports = own_exports(path)
    if "agent" not in exports and (path.suffix != STARLARK or path.stem in exports):
        tool = load_tool(path, settings.runtime_policy)
        if tool is not None:
            return FoundTools((tool,), ())
    check_agent(load_bundle(path, settings.runtime_policy), settings)
    return load_tools(folder_beside(path), settings.runtime_policy)


COMMANDS: tuple[click.Command, ...] = (check,)
