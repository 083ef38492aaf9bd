"""The agents that a server serves: the files beside the one it was started with."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..agent_source import load_agent
from ..errors import ChidoriError
from ..languages.bundle import Bundle
from ..settings import RuntimePolicy
from .refusal import Refused
from .refusals import refused

_NAME = re.compile(r"[A-Za-z0-9._-]{1,127}", re.ASCII)
_SUFFIXES = (".ts", ".star")
_NOT_AGENTS = (".d.ts", ".test.ts")


@dataclass(frozen=True, slots=True)
class ServedAgent:
    """An agent's file and its source as it was when it was read."""

    entry: Path
    bundle: Bundle


class Agents:
    """Loads agents by their bare file names; a source that did not change on disk is read once.

    Without a ``default`` none is served: those of sessions that are there already can be loaded all the same."""

    def __init__(self, default: Path | None, policy: RuntimePolicy, tool_folders: tuple[Path, ...]) -> None:
        self.default = default
        self.tool_folders = tool_folders
        self._policy = policy
        self._loaded: dict[tuple[Path, tuple[Path, ...]], tuple[object, ServedAgent]] = {}

    def check(self) -> None:
        """Read the default agent, if there is one.

        Raises:
            ChidoriError: there is no such file, it is no agent, or its source has a fault.
        """
        if self.default is not None:
            self._read(self.default, self.tool_folders)

    def load(self, name: str | None = None) -> ServedAgent:
        """The agent of that name, or the default one.

        Raises:
            Refused: the name is not one (400), there is no such file (404), its source has a fault (500), or no agent
                is served (409).
        """
        if self.default is None:
            hint = "`chidori serve FILE` serves one; the console is at /console/"
            raise Refused(409, "no agent is served here", hint=hint)
        return self._load(self.default if name is None else _file(self.default.parent, name), self.tool_folders, 500)

    def recorded(self, entry: Path, tool_folders: Sequence[str]) -> ServedAgent | None:
        """The agent in the file that a session has recorded; None when there is no such file here.

        Its tools are those of this server's folders, and without any of the folders that the session has recorded.

        Raises:
            Refused: its source has a fault (409).
        """
        # `Path.is_file` raises for a path that may not be looked at, which an imported session may name.
        folders = self.tool_folders or tuple(Path(folder) for folder in tool_folders)
        return self._load(entry, folders, 409) if os.path.isfile(entry) else None

    def _load(self, entry: Path, tool_folders: tuple[Path, ...], status_of_faults: int) -> ServedAgent:
        try:
            return self._read(entry, tool_folders)
        except ChidoriError as error:
            raise refused(error, status_of_faults) from error

    def _read(self, entry: Path, tool_folders: tuple[Path, ...]) -> ServedAgent:
        known = self._loaded.get((entry, tool_folders))
        if known is not None and known[0] == _state(known[1], tool_folders):
            return known[1]
        agent = ServedAgent(entry, load_agent(entry, self._policy, tool_folders))
        self._loaded[entry, tool_folders] = _state(agent, tool_folders), agent
        return agent

    def names(self) -> list[str]:
        """The agent files beside the default one; a file that exports no agent is found out when it is run."""
        if self.default is None:
            return []
        return sorted(
            file.name
            for file in self.default.parent.iterdir()
            if file.is_file() and file.name.endswith(_SUFFIXES) and not file.name.endswith(_NOT_AGENTS)
        )


def _file(folder: Path, name: str) -> Path:
    if not _NAME.fullmatch(name) or not name.endswith(_SUFFIXES):
        raise Refused(400, f"{name!r} is not the name of an agent file")
    file = folder / name
    if not file.is_file():
        raise Refused(404, f"there is no agent {name}")
    return file


def _state(agent: ServedAgent, tool_folders: tuple[Path, ...]) -> object:
    """Changes whenever one of the files that the source was read from does."""
    root = agent.entry.resolve()
    for _ in Path(agent.bundle.entry).parts:
        root = root.parent
    files = [root / module.path for module in agent.bundle.modules]
    folders = [agent.entry.parent, agent.entry.parent / "tools", *tool_folders]
    inside = [file for folder in folders[1:] if folder.is_dir() for file in folder.iterdir()]
    templates = [agent.entry.parent / path for path, _ in agent.bundle.templates]
    return tuple(_stamp(path) for path in (*files, *folders, *inside, *templates))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size
