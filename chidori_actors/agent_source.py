"""An agent's whole source, as a run takes it along: the agent, the tools beside it and those of ``--tools``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import exact_json
from .errors import ChidoriError, SourceError
from .languages.bundle import BrokenTool, Bundle, Tool
from .languages.loading import load_bundle, load_tool_bundle, tool_path
from .languages.templates import collect_templates
from .languages.tool_files import FOLDER, tool_files
from .session.tool_metadata import read_definition
from .settings import RuntimePolicy


def load_agent(entry: Path, policy: RuntimePolicy, tools: Sequence[Path] = ()) -> Bundle:
    """The agent in ``entry`` with the tools of ``tools/`` beside it and of the directories ``tools``.

    A later directory overrides an earlier one, by the tool's name. Tools that cannot be used are told in
    ``Bundle.broken_tools``.

    Raises:
        UsageError: ``entry`` is no file that can be an agent, or a directory of ``tools`` is not there.
        SourceError: a fault in the agent's source.
        ChidoriError: a template that cannot be taken along.
    """
    bundle = load_bundle(entry, policy)
    found = load_tools([*folder_beside(entry), *tools], policy)
    return replace(bundle, tools=found.tools, broken_tools=found.broken)


def folder_beside(entry: Path) -> list[Path]:
    """The tools directory beside an agent, if there is one."""
    folder = entry.resolve().parent / FOLDER
    return [folder] if folder.is_dir() else []


@dataclass(frozen=True, slots=True)
class FoundTools:
    """Tools, sorted by name, and the files that are broken, in the order of their directories."""

    tools: tuple[Tool, ...]
    broken: tuple[BrokenTool, ...]


def load_tools(folders: Sequence[Path], policy: RuntimePolicy) -> FoundTools:
    """The tools of some directories; later ones override, by name.

    Raises:
        UsageError: a directory is not there or cannot be read.
    """
    tools: dict[str, Tool] = {}
    broken: dict[Path, BrokenTool] = {}
    for folder in folders:
        here: dict[str, Tool] = {}
        for file in tool_files(folder):
            loaded = _load(file, policy, here)
            if isinstance(loaded, Tool):
                here[loaded.name] = loaded
            elif loaded is not None:
                broken[file.resolve()] = loaded
                # It was most likely meant to override the earlier one, which must not run in its stead.
                tools.pop(loaded.name, None)
        tools |= here
    return FoundTools(tuple(tools[name] for name in sorted(tools)), tuple(broken.values()))


def load_tool(file: Path, policy: RuntimePolicy) -> Tool | None:
    """The tool in ``file``, or None when it is no tool.

    Raises:
        UsageError: there is no such file.
        SourceError: a fault in its source or its definition.
        ChidoriError: a template beside it cannot be taken along.
    """
    bundle = load_tool_bundle(file, policy)
    if bundle is None:
        return None
    definition = read_definition(bundle, policy)
    bundle = replace(bundle, templates=collect_templates(file.resolve().parent))
    return Tool(exact_json.loads(definition)["name"], definition, bundle)


def check_schemas(found: FoundTools) -> FoundTools:
    """The same, with the tools whose JSON Schema is no sound one among the broken.

    A start does without it: the library that it takes costs as much as half of a start.
    """
    from .json_schema import schema_fault

    sound: list[Tool] = []
    broken = list(found.broken)
    for tool in found.tools:
        fault = schema_fault(exact_json.loads(tool.definition)["parameters"])
        if fault is None:
            sound.append(tool)
        else:
            path = tool.bundle.entry
            reason = f"{path}: the tool's parameters are no JSON Schema: {fault}"
            broken.append(BrokenTool(Path(path).stem, path, reason))
    return FoundTools(tuple(sound), tuple(broken))


def _load(file: Path, policy: RuntimePolicy, taken: dict[str, Tool]) -> Tool | BrokenTool | None:
    path = tool_path(file)
    try:
        tool = load_tool(file, policy)
    except ChidoriError as error:
        return BrokenTool(file.stem, path, _one_line(error))
    if tool is not None and tool.name in taken:
        other = taken[tool.name].bundle
        if tool.bundle.language != other.language and "starlark" in (tool.bundle.language, other.language):
            del taken[tool.name]  # neither was made from the other, so nobody knows which is meant
            reason = f"the tool `{tool.name}` is in {Path(other.entry).name}, too; remove or rename one of them"
            return BrokenTool(tool.name, path, f"{path}: {reason}")
        return BrokenTool(file.stem, path, f"{path}: the name `{tool.name}` is taken by {Path(other.entry).name}")
    return tool


def _one_line(error: ChidoriError) -> str:
    text = str(error)
    if isinstance(error, SourceError):
        text = f"{error.place}: {error.reason}"
    return " ".join(text.split()) + (f" ({error.hint})" if error.hint else "")
