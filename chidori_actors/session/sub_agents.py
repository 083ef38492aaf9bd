"""Which agent a ``callAgent`` means."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import ChidoriError
from ..host.function import HostError
from ..languages.bundle import Bundle
from ..languages.loading import load_bundle
from ..settings import RuntimePolicy
from .actor_spec import ActorSpec
from .context import RunContext
from .failure import module_of


@dataclass(frozen=True, slots=True)
class SubAgent:
    """An agent's or a tool's source, its project's root and its own folder, where these are known."""

    bundle: Bundle
    root: Path | None
    folder: Path | None


def find_sub_agent(path: str, site: str | None, caller: ActorSpec, run: RunContext) -> SubAgent:
    """The agent that ``path`` means for the module of ``caller`` that the stack frame ``site`` is in.

    It is looked for beside that module, then in the folder of the run's agent, and never outside of their projects.

    Raises:
        HostError: there is none, or it cannot be loaded.
    """
    folders = [run.folder]
    module = module_of(site, caller.bundle) or caller.bundle.entry
    if caller.root is not None:
        folders.insert(0, (caller.root / module).parent)
    roots = [root.resolve() for root in (caller.root, run.root) if root is not None]
    # Whether a file outside is there is not for the agent to know.
    inside = [found for folder in folders if (found := _inside(folder, path, roots)) is not None]
    if not inside:
        raise HostError(f"the agent {path} lies outside of the project", inner={"own_code": True})
    for file, root in inside:
        if _is_file(file):
            return _load(path, file, root, run)
    looked = " and ".join(dict.fromkeys(_shown(folder, roots) for folder in folders))
    raise HostError(f"there is no agent {path} (looked in {looked}){_way_out(caller, run)}")


def _inside(folder: Path, path: str, roots: list[Path]) -> tuple[Path, Path] | None:
    """The file that ``path`` means in ``folder`` and the project that it lies in, if it lies in one."""
    if "\0" in path:
        raise HostError("an agent's path has no NUL in it", inner={"own_code": True})
    try:
        file = (folder / path).resolve()
    except (OSError, RuntimeError):
        raise HostError(f"the agent {path} cannot be looked for: its path leads nowhere") from None
    root = next((root for root in roots if file.is_relative_to(root)), None)
    return None if root is None else (file, root)


def _way_out(caller: ActorSpec, run: RunContext) -> str:
    """What helps when the run's own agent is not where the run has it, because it was imported or moved."""
    if _is_file(run.folder / PurePosixPath(caller.chain[0]).name):
        return ""
    return "; the run's own file is not there either: `chidori resume FILE RUN_ID` with that file looks beside it"


def _is_file(path: Path) -> bool:
    # An imported run may name any path, and `Path.is_file` raises for one that may not be looked at.
    return os.path.isfile(path)


def _shown(folder: Path, roots: list[Path]) -> str:
    """The folder as the agent may know it: from its project's root on."""
    at = folder.resolve()
    return next((at.relative_to(root).as_posix() for root in roots if at.is_relative_to(root)), folder.name) + "/"


def as_found(bundle: Bundle, run: RunContext) -> SubAgent:
    """A recorded agent; its folder is known when it lies in the run's own project."""
    file = run.root / bundle.entry
    return SubAgent(bundle, run.root, file.parent) if _is_file(file) else SubAgent(bundle, None, None)


def _load(path: str, file: Path, root: Path, run: RunContext) -> SubAgent:
    policy: dict[str, Any] = dict(run.runtime_policy)
    try:
        bundle = load_bundle(file, RuntimePolicy(**policy), root=root)
    except ChidoriError as error:
        # Where the project lies is not for the agent to know.
        reason = str(error).replace(f"{root}{os.sep}", "")
        raise HostError(f"the agent {path} cannot be loaded: {reason}") from error
    return SubAgent(bundle, root, file.parent)
