"""What a run is put together from: its context, its root actor, and the tools that belong to it."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from .host.function import HostServices
from .host.mcp_config import McpConfig, load_mcp_config
from .host.resources import Resources
from .host.secrets import Secrets
from .host.table import host_functions
from .host.toolbox import Toolbox
from .journal.actors import ActorPlace, actor_places
from .journal.events import last_event, newest_events
from .journal.given_variables import given_variables
from .journal.lanes import last_counters
from .journal.memory import StoredMemory
from .journal.runs import RunMeta
from .journal.store import Fence, Store
from .languages.bundle import Bundle
from .languages.modules import project_root
from .policy import Policy
from .session.actor_spec import ActorSpec
from .session.approvals import Approvals
from .session.attendance import Attendance
from .session.context import RunApprovals, RunContext, Spawn
from .session.event_log import EventLog, Everybody
from .session.lane_writer import StoreLaneWriter
from .session.live_actors import OwnRoom
from .session.numbers import OwnNumbers
from .session.past import Past
from .session.program import make_program
from .session.run_actors import RunActors
from .settings import Settings
from .templates import template_reader

if TYPE_CHECKING:
    from .host.mcp_servers import McpServers

_LOOKED_AT = 1000
"""So many events of an earlier life are searched for prompts that it was streaming."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the runs of a runtime share."""

    settings: Settings
    store: Store
    policy: Policy
    resources: Resources
    spawn: Spawn
    image_every: int


def root_of(entry: Path, bundle: Bundle) -> Path:
    """The project's root, of which the bundle has the path to ``entry``.

    A file that is not at that path (its run was imported) has its own folder: nobody knows more of the project here. A
    checkpoint may name any path, so that the root is never above the one that the disk shows.
    """
    file, inside = entry.resolve(), PurePosixPath(bundle.entry).parts
    if file.parts[1:][-len(inside) :] != inside:
        return file.parent
    recorded, found = file.parents[len(inside) - 1], project_root(file)
    return recorded if recorded.is_relative_to(found) else found


def root_spec(run: RunContext, meta: RunMeta, bundle: Bundle, past: Past) -> ActorSpec:
    """The run's root actor."""
    program = make_program(bundle, meta.policy, seed=meta.seed, path="", input_json=meta.input, epoch_ms=meta.epoch_ms)
    return ActorSpec(
        path="",
        origin=program,
        bundle=bundle,
        past=past,
        root=run.root,
        folder=Path(meta.agent).parent,
        chain=(bundle.entry,),
    )


def mcp_config(settings: Settings) -> McpConfig | None:
    """The MCP servers that runs may use; None when none are configured.

    Raises:
        UsageError: their configuration cannot be read.
    """
    return None if settings.mcp_config is None else load_mcp_config(settings.mcp_config, settings.environ)


@asynccontextmanager
async def run_context(
    surroundings: Surroundings,
    meta: RunMeta,
    bundle: Bundle,
    fence: Fence,
    past: Past,
    attendance: Attendance,
    mcp: McpConfig | None,
) -> AsyncIterator[RunContext]:
    """What the actors of the run share, for as long as the run lives. ``past`` is that of the root."""
    settings, policy = surroundings.settings, surroundings.policy.tightened(meta.policy_profile)
    surroundings = replace(surroundings, policy=policy)
    secrets = Secrets(settings.environ, meta.seed, policy.hosts_for)
    for name in given_variables(surroundings.store, meta):
        secrets.know(name)
    async with _mcp_servers(mcp, secrets, attendance.observer.warned) as servers:
        yield _context(surroundings, meta, bundle, fence, past, attendance, secrets, servers)


@asynccontextmanager
async def _mcp_servers(
    config: McpConfig | None, secrets: Secrets, warned: Callable[[str], None]
) -> AsyncIterator["McpServers | None"]:
    if config is None:
        yield None
        return
    from .host.mcp_servers import McpServers  # it takes a library that is slow to import, and few runs use

    servers = McpServers(config, secrets, warned)
    try:
        yield servers
    finally:
        await servers.aclose()


def _context(
    surroundings: Surroundings,
    meta: RunMeta,
    bundle: Bundle,
    fence: Fence,
    past: Past,
    attendance: Attendance,
    secrets: Secrets,
    mcp: "McpServers | None",
) -> RunContext:
    entry = Path(meta.agent)
    store, settings, policy = surroundings.store, surroundings.settings, surroundings.policy
    actors = actor_places(store, meta.lane)
    seq, index = _counters(store, meta, past, actors)
    last = max(last_event(store, meta.lane), meta.replayed_calls)
    events = EventLog(store, fence, meta.lane, last, meta.calls, attendance.publish)
    if attendance.publish is not None:
        events.end_interrupted(newest_events(store, meta.lane, _LOOKED_AT))
    approvals = Approvals(store, fence, meta.id)

    services = HostServices(
        settings=settings,
        run_id=meta.id,
        default_model=meta.model,
        questions=attendance.questions,
        events=attendance.observer if attendance.publish is None else Everybody(attendance.observer, events),
        memory=StoredMemory(store),
        secrets=secrets,
        refusal=refusal_by(policy, approvals),
        read_template=template_reader(bundle, entry.parent),
        resources=surroundings.resources,
        tools=Toolbox(bundle.tools, bundle.broken_tools, mcp),
        noted=attendance.observer.noted,
    )
    return RunContext(
        run_id=meta.id,
        store=store,
        policy=policy,
        functions=host_functions(),
        services=services,
        observer=attendance.observer,
        spawn=surroundings.spawn,
        actors=RunActors(store, actors),
        bundle=bundle,
        mcp=mcp,
        root=root_of(entry, bundle),
        folder=entry.resolve().parent,
        seed=meta.seed,
        runtime_policy=meta.policy,
        image_every=surroundings.image_every,
        events=events,
        numbers=OwnNumbers(seq, index, max((meta.lane, *(actor.lane for actor in actors)))),
        lane_writer=partial(StoreLaneWriter, store, fence, events),
        approvals=approvals,
        room=OwnRoom(),
        board=attendance.board,
        attempt=past.attempt,
        waiting=_waiting(meta.pending),
        last_ms=max(meta.epoch_ms, past.last_ms),
    )


def refusal_by(policy: Policy, approvals: RunApprovals) -> Callable[[str, dict[str, Any]], str | None]:
    """What ``HostServices.refusal`` is for a run."""

    def refusal(target: str, args: dict[str, Any]) -> str | None:
        # What a person allowed for the run needs no other approval, whatever led to it.
        approved = policy.decide(target, args).decision == "ask" and approvals.known(target, args) == "allow"
        return None if approved else policy.refusal(target, args)

    return refusal


def _counters(store: Store, meta: RunMeta, past: Past, actors: Iterable[ActorPlace]) -> tuple[int, int]:
    """The highest seq and index that the run has given out, in whichever of its lanes."""
    seq, index = max(past.seq, meta.call_count), past.index
    for actor in actors:
        in_lane = (actor.seq, actor.ended or 0) if actor.status != "running" else last_counters(store, actor.lane)
        seq, index = max(seq, in_lane[0]), max(index, in_lane[1])
    return seq, index


def _waiting(pending: Iterable[Mapping[str, str]]) -> frozenset[str]:
    # A call in doubt has perhaps happened, however often its question is asked.
    return frozenset(question["path"] for question in pending if question["kind"] != "in_doubt")
