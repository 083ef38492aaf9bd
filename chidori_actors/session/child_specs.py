"""What the actors inside of a call are started from, live and in a replay."""

from collections.abc import Mapping

from .. import exact_json
from ..journal.actors import ActorMeta
from ..journal.lanes import Started
from ..placement.need import ANYWHERE, Need
from ..vm.image import Image
from ..vm.machine import inherited_key
from .actor_spec import ActorSpec
from .context import RunContext
from .origins import Fork
from .past import Past
from .program import make_program, random_state
from .sub_agents import SubAgent


def branch_spec(
    run: RunContext,
    parent: ActorSpec,
    call: Started,
    image: Image,
    inherited: Mapping[int, Started],
    meta: ActorMeta,
    past: Past,
) -> ActorSpec:
    """A branch of ``parent``, forked for ``call`` where its VM was as in ``image``."""
    config = {
        "call": call.ordinal,
        "index": meta.index,
        "random": random_state(run.runtime_policy, run.seed, meta.path),
    }
    return ActorSpec(
        path=meta.path,
        origin=Fork(image, config, meta.epoch_ms),
        bundle=parent.bundle,
        past=past,
        root=parent.root,
        folder=parent.folder,
        chain=(*parent.chain, f"parallel[{meta.index}]"),
        parent_seq=meta.parent_seq,
        meta=meta,
        inherited=inherited,
    )


def branches_keys(pending: Mapping[int, Started]) -> dict[int, Started]:
    """The calls that a fork's branches have of their parent, by their keys in there."""
    return {inherited_key(key): started for key, started in pending.items()}


def module_spec(
    run: RunContext,
    parent: ActorSpec,
    call: Started,
    source: SubAgent,
    meta: ActorMeta,
    past: Past,
    need: Need = ANYWHERE,
) -> ActorSpec:
    """A sub-agent or tool that ``call`` of ``parent`` started."""
    is_tool = meta.kind == "tool"
    program = make_program(
        source.bundle,
        run.runtime_policy,
        seed=run.seed,
        path=meta.path,
        input_json=meta.input,
        epoch_ms=meta.epoch_ms,
        exported="run" if is_tool else "agent",
    )
    name = f"tool {exact_json.loads(call.args)['name']}" if is_tool else source.bundle.entry
    return ActorSpec(
        path=meta.path,
        origin=program,
        bundle=source.bundle,
        past=past,
        root=source.root,
        folder=source.folder,
        chain=(*parent.chain, name),
        parent_seq=meta.parent_seq,
        meta=meta,
        need=need,
    )
