"""Which agent a ``callAgent`` means."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ChidoriError
from ..host.function import HostError
from ..languages.bundle import Bundle
from ..languages.loading import load_bundle
from ..languages.modules import project_root
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
    for folder in folders:
        file = (folder / path).resolve()
        if file.is_file():
            if not any(file.is_relative_to(root) for root in roots):
                raise HostError(f"the agent {path} lies outside of the project", inner={"own_code": True})
            return _load(path, file, run)
    looked = " and ".join(dict.fromkeys(_shown(folder, roots) for folder in folders))
    raise HostError(f"there is no agent {path} (looked in {looked})")


def _shown(folder: Path, roots: list[Path]) -> str:
    """The folder as the agent may know it: from its project's root on."""
    at = folder.resolve()
    return next((at.relative_to(root).as_posix() for root in roots if at.is_relative_to(root)), folder.name) + "/"


def as_found(bundle: Bundle, run: RunContext) -> SubAgent:
    """A recorded agent; its folder is known when it lies in the run's own project."""
    file = run.root / bundle.entry
    return SubAgent(bundle, run.root, file.parent) if file.is_file() else SubAgent(bundle, None, None)


def _load(path: str, file: Path, run: RunContext) -> SubAgent:
    policy: dict[str, Any] = dict(run.runtime_policy)
    try:
        bundle = load_bundle(file, RuntimePolicy(**policy))
    except ChidoriError as error:
        raise HostError(f"the agent {path} cannot be loaded: {error}") from error
    return SubAgent(bundle, project_root(file), file.parent)
