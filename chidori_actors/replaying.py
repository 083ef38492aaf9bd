"""Replays that stop at a call, wherever in the tree of actors it was made.

A container answers from its own record, so a replay of the whole run never comes to the calls inside of it. One that is
to stop there replays the actor that made the container up to that call, then the actor inside, and so on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from . import exact_json
from .branch_points import no_such_call
from .errors import NotResumable, StoreError, UsageError
from .host.function import HostError
from .journal.blobs import DAMAGED_HINT
from .journal.lanes import Started
from .journal.runs import RunMeta
from .journal.tree import RunTree, TreeActor
from .session.actor_spec import ActorSpec, Stop
from .session.child_specs import branch_spec, branches_keys, module_spec
from .session.context import RunContext
from .session.outcome import Reached, Rest
from .session.past import Past, read_past
from .session.sub_agents import SubAgent, as_found, find_sub_agent


@dataclass(frozen=True, slots=True)
class Leg:
    """A part of the way to a call: the actor that is replayed, and its call that is next on the way."""

    actor: TreeActor
    call: Started


def way_to(run: RunMeta, tree: RunTree, seq: int) -> Sequence[Leg]:
    """From the root to the call ``seq``, which the last of the legs is to.

    Raises:
        UsageError: the run has no such call, or its agent was never given what it came to.
    """
    found = tree.call(seq)
    if found is None:
        raise no_such_call(run, seq)
    actor, call, settled = found
    if settled is None or not settled.delivered:
        why = "has not ended" if settled is None else "was cancelled"
        raise UsageError(
            f"call #{seq} ({call.function}) of run {run.id} {why}: the agent never saw a result of it",
            hint=f"choose a call that ended: `chidori trace {run.id}` lists them",
        )
    legs = [Leg(actor, call)]
    while actor.meta is not None:
        container = tree.call(actor.meta.parent_seq)
        if container is None:
            what = f"the call of run {run.id} that the actor {actor.path} belongs to"
            raise StoreError(f"{what} is missing", hint=DAMAGED_HINT)
        actor = container[0]
        legs.append(Leg(actor, container[1]))
    return legs[::-1]


async def replay_along(run: RunContext, root: ActorSpec, legs: Sequence[Leg], *, changed: bool) -> Rest:
    """Replay from the root up to the end of the last leg; ``Reached`` unless it came to rest before that.

    ``root`` is a replay without a ``stop``. With ``changed`` its source need not be the recorded one, and what it
    calls is looked for as in a live run.

    Raises:
        ReplayDivergence: an actor made other calls than its record has.
        NotResumable: the source of an actor on the way is not there any more.
    """
    spec = root
    for place, leg in enumerate(legs):
        inner = legs[place + 1].actor if place + 1 < len(legs) else None
        stop = Stop(leg.call.ordinal, inside=inner is not None)
        lane = run.lane_writer(leg.actor.lane, spec.past.length)
        replayed = replace(spec, live=False, record_complete=False, stop=stop)
        rest = await run.spawn(replayed, run, lane, lambda rest: ()).wait()
        if inner is None or not isinstance(rest, Reached):
            return rest
        past = await read_past(run.store, inner.lane)
        spec = _inside(run, spec, leg.call, inner, rest, past, changed=changed)
    return Reached()


def _inside(
    run: RunContext, parent: ActorSpec, call: Started, actor: TreeActor, reached: Reached, past: Past, *, changed: bool
) -> ActorSpec:
    meta = actor.meta
    assert meta is not None  # only the root has none, and it is inside of nothing
    if meta.kind == "branch":
        assert reached.fork is not None
        inherited = branches_keys(reached.fork.pending)
        return branch_spec(run, parent, call, reached.fork.image, inherited, meta, past)
    if changed or meta.bundle is None:
        source = _source_now(run, parent, call, is_tool=meta.kind == "tool")
    else:
        source = as_found(run.actors.bundle(meta.bundle), run)
    return module_spec(run, parent, call, source, meta, past)


def _source_now(run: RunContext, parent: ActorSpec, call: Started, *, is_tool: bool) -> SubAgent:
    args = exact_json.loads(call.args)
    if is_tool:
        tool = next((tool for tool in run.bundle.tools if tool.name == args["name"]), None)
        if tool is None:
            raise NotResumable(f"there is no tool {args['name']} any more")
        return SubAgent(tool.bundle, None, None)
    try:
        return find_sub_agent(args["path"], call.site, parent, run)
    except HostError as error:
        raise NotResumable(str(error)) from error
