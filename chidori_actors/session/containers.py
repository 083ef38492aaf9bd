"""The calls that other actors answer: branches of a fork, sub-agents, tools."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from .. import exact_json
from ..host.function import HostError, HostResult
from ..journal.actors import ActorKind, ActorMeta, actor_writes
from ..journal.lanes import Settled
from ..journal.store import Write
from ..languages.bundle import Bundle, Tool
from ..placement.need import ANYWHERE, Need, asked_need
from ..vm.machine import inherited_key
from .actor_spec import ActorSpec
from .child_specs import branch_spec, branches_keys, module_spec
from .children import ChildFailed, ChildGroup, Outcome, Plan
from .context import RunContext
from .forks import ForkPoint, Forks
from .host_calls import Flush, LiveCall
from .live_actors import room
from .outcome import Completed, Failed
from .past import Past
from .sub_agents import SubAgent, as_found, find_sub_agent

DEEPEST = 32
"""So many actors can be inside of one another."""
_INNER = ("location", "source_line", "stack", "for_good")


class Containers:
    """The containers of one actor, whose lane is ``lane``. ``changed``: see ``ChildGroup``."""

    def __init__(
        self, run: RunContext, spec: ActorSpec, lane: int, golden: str, forks: Forks, changed: Callable[[], None]
    ) -> None:
        self._run = run
        self._spec = spec
        self._lane = lane
        self._golden = golden
        self._forks = forks
        self._changed = changed
        self._branches: list[tuple[_Branches, ChildGroup]] = []

    async def perform(self, call: LiveCall, make_durable: Flush) -> HostResult:
        """Start what the call is about and wait for it.

        Raises:
            HostError: it failed.
            ContainerCancelled: the call was cancelled meanwhile, and with it everything inside.
        """
        try:
            return await self._perform(call, make_durable)
        finally:
            self._run.actors.forget(call.started.seq)

    async def _perform(self, call: LiveCall, make_durable: Flush) -> HostResult:
        if len(self._spec.chain) >= DEEPEST:
            chain = " > ".join(self._spec.chain)
            message = f"{call.started.function}: more than {DEEPEST} actors deep: {chain}"
            raise HostError(message, name="RecursionError", inner={"own_code": True}, writes=self._forks.unused(call))
        if call.started.function == "parallel":
            return await self._parallel(call, make_durable)
        module = self._sub_agent(call) if call.started.function == "call_agent" else await self._tool(call)
        # An actor is found again by the call that contains it: nothing of the actor may be kept without that.
        await make_durable()
        try:
            async with room(self._run, call, 1):
                outcomes = await self._group(call, module, 1, all_needed=True).run()
        except ChildFailed as failure:
            raise _error(failure.failed) from None
        return HostResult(_output(outcomes[0]))

    def inherit(self, key: int, settled: Settled) -> None:
        """A call of this actor was settled, which branches may wait for."""
        self._forks.inherit(settled)
        for branches, group in self._branches:
            if key in branches.point.pending:
                passed = settled if settled.delivered else None
                branches.passed[inherited_key(key)] = passed
                group.inherit(inherited_key(key), passed)

    def cancelled(self, call: LiveCall, settled: Settled) -> None:
        """The agent gave up a call, which is in the lane as ``settled``."""
        self.inherit(call.started.ordinal, settled)
        self._forks.drop(call)

    async def _parallel(self, call: LiveCall, make_durable: Flush) -> HostResult:
        count, settle = call.args["count"], call.args.get("settle", False)
        if not count:
            return HostResult(b"[]")
        limit = min(call.args.get("concurrency") or count, count)
        async with room(self._run, call, limit, lambda: self._forks.unused(call)):
            return await self._fork(call, make_durable, limit, settle=settle)

    async def _fork(self, call: LiveCall, make_durable: Flush, limit: int, *, settle: bool) -> HostResult:
        point = await self._forks.point(call)
        branches = _Branches(self._run, self._spec, self._lane, call, point)
        group = self._group(call, branches, limit, all_needed=not settle)
        self._branches.append((branches, group))
        try:
            # No branch begins before the image that it can be started from again is durable.
            await make_durable()
            outcomes = await group.run()
        except ChildFailed as failure:
            raise _branch_error(failure.index, failure.failed, self._forks.ended(call)) from None
        finally:
            self._branches.remove((branches, group))
        values = [_settlement(index, end) if settle else _output(end) for index, end in enumerate(outcomes)]
        return HostResult(b"[%b]" % b",".join(values), writes=self._forks.ended(call))

    def _group(self, call: LiveCall, plan: Plan, limit: int, *, all_needed: bool) -> ChildGroup:
        group = ChildGroup(
            self._run,
            call.started.seq,
            plan,
            limit=limit,
            golden=self._golden,
            all_needed=all_needed,
            changed=self._changed,
        )
        call.container = group
        if call.ending:
            group.cancel()
        self._changed()
        return group

    def _sub_agent(self, call: LiveCall) -> "_Module":
        recorded = self._recorded_source(call)
        if recorded is not None:
            agent = as_found(recorded, self._run)
        else:
            agent = find_sub_agent(call.args["path"], call.started.site, self._spec, self._run)
        return _Module(
            self._run, self._spec, self._lane, call, "sub_agent", agent, exact_json.dumps(call.args["input"])
        )

    async def _tool(self, call: LiveCall) -> "_Module":
        name, arguments = call.args["name"], call.args["kwargs"]
        bundle = self._recorded_source(call)
        found = next((tool for tool in self._run.bundle.tools if tool.name == name), None)
        if bundle is None:
            await self._run.services.tools.validate(name, arguments)
            assert found is not None
            bundle = found.bundle
        tool = SubAgent(bundle, None, None)
        need = ANYWHERE if found is None else _need_of(found)
        return _Module(self._run, self._spec, self._lane, call, "tool", tool, exact_json.dumps(arguments), need)

    def _recorded_source(self, call: LiveCall) -> Bundle | None:
        """The source of the actor that was started for this call before a crash."""
        known = self._run.actors.find(call.started.seq, 0)
        return None if known is None or known.bundle is None else self._run.actors.bundle(known.bundle)


class _Branches:
    """The branches of one fork."""

    def __init__(self, run: RunContext, parent: ActorSpec, lane: int, call: LiveCall, point: ForkPoint) -> None:
        self._run = run
        self._parent = parent
        self._lane = lane
        self._call = call
        self.count: int = call.args["count"]
        self.point = point
        self._inherited = branches_keys(point.pending)
        self.passed: dict[int, Settled | None] = {
            inherited_key(settled.ordinal): settled if settled.delivered else None for settled in point.settled
        }

    def describe(self, index: int, lane: int) -> tuple[ActorMeta, list[Write]]:
        started = self._call.started
        path = f"{self._call.path}/b{index}"
        return ActorMeta(lane, path, "branch", self._lane, started.seq, index, "running", started.at_ms), []

    def with_source(self, meta: ActorMeta) -> tuple[ActorMeta, list[Write]]:
        # A branch has its parent's.
        return meta, []

    def spec(self, meta: ActorMeta, past: Past) -> ActorSpec:
        started, image = self._call.started, self.point.image
        return branch_spec(self._run, self._parent, started, image, self._inherited, meta, past)

    def settled(self) -> Iterable[tuple[int, Settled | None]]:
        return tuple(self.passed.items())


class _Module:
    """One sub-agent or tool."""

    count = 1

    def __init__(
        self,
        run: RunContext,
        parent: ActorSpec,
        lane: int,
        call: LiveCall,
        kind: ActorKind,
        source: SubAgent,
        input_json: bytes,
        need: Need = ANYWHERE,
    ) -> None:
        self._need = need
        self._run = run
        self._parent = parent
        self._lane = lane
        self._call = call
        self._kind = kind
        self._source = source
        self._input = input_json

    def describe(self, index: int, lane: int) -> tuple[ActorMeta, list[Write]]:
        started = self._call.started
        digest, writes = self._run.actors.take_bundle(self._source.bundle)
        return ActorMeta(
            lane=lane,
            path=self._call.path,
            kind=self._kind,
            parent_lane=self._lane,
            parent_seq=started.seq,
            index=index,
            status="running",
            epoch_ms=started.at_ms,
            bundle=digest,
            input=self._input,
        ), writes

    def with_source(self, meta: ActorMeta) -> tuple[ActorMeta, list[Write]]:
        digest, writes = self._run.actors.take_bundle(self._source.bundle)
        found = replace(meta, bundle=digest)
        return found, [*writes, *actor_writes(found)]

    def spec(self, meta: ActorMeta, past: Past) -> ActorSpec:
        return module_spec(self._run, self._parent, self._call.started, self._source, meta, past, self._need)

    def settled(self) -> Iterable[tuple[int, Settled | None]]:
        return ()


def _need_of(tool: Tool) -> Need:
    resources = exact_json.loads(tool.definition).get("resources")
    return ANYWHERE if resources is None else asked_need(resources)


def _output(end: Outcome) -> bytes:
    assert isinstance(end, Completed)
    return end.output


def _settlement(index: int, end: Outcome) -> bytes:
    if isinstance(end, Completed):
        return b'{"status":"fulfilled","value":%b}' % end.output
    error = _branch_error(index, end, ())
    reason = {"message": str(error), "name": error.name, "data": error.data, "inner": error.inner}
    return b'{"status":"rejected","reason":%b}' % exact_json.dumps(reason)


def _branch_error(index: int, failed: Failed, writes: tuple[Write, ...]) -> HostError:
    return _error(failed, f"branch {index}: ", {"branch": index}, writes)


def _error(
    failed: Failed, prefix: str = "", data: dict[str, Any] | None = None, writes: tuple[Write, ...] = ()
) -> HostError:
    """What the parent gets for a failure: the error as it was thrown inside, and where that was."""
    error = failed.error
    inner = {name: error[name] for name in _INNER if name in error} | {"own_code": failed.is_own_code}
    return HostError(
        f"{prefix}{error['message']}",
        name=error.get("name", "Error"),
        data={**error.get("data", {}), **(data or {})},
        inner=inner,
        writes=writes,
    )
