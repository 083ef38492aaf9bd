"""Doing one host call: policy first, then the function, then what goes into the record."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .. import exact_json
from ..canonical import canonical
from ..errors import ChidoriError
from ..host.function import HostCall, HostError, HostFunction, HostResult, HostServices, Question, Unanswered
from ..journal.approvals import Decision as ApprovalDecision
from ..journal.lanes import CANCELLED, OUTCOME_UNKNOWN, Settled, Started
from ..journal.store import Write
from ..policy import Decision, denied_text
from .approvals import ALL, NO, YES
from .asking import Asking
from .children import ChildGroup
from .context import RunContext
from .live_parts import ABORTED
from .program import as_text

Flush = Callable[[], Awaitable[None]]
"""Waits until everything that was appended to the lane is durable."""

TIMER = "timer"
"""The function that waits for a time."""

_AGAIN, _FAIL = "again", "fail"


@dataclass(slots=True)
class LiveCall:
    """A call on its way. ``number`` is the place of its ``started`` entry in the lane. ``in_effect`` says that its side
    effect may have happened; ``question`` that it waits; ``settling`` that its settlement is on its way into the lane.
    ``container`` are the actors inside of it, which are started only to be ended when it is ``ending``. ``aborted``:
    somebody outside had it ended.
    """

    started: Started
    function: HostFunction
    args: dict[str, Any]
    path: str
    number: int
    interrupted: bool = False
    settling: bool = False
    in_effect: bool = False
    question: Question | None = None
    container: ChildGroup | None = None
    ending: bool = False
    aborted: bool = False
    began: float = field(default_factory=time.perf_counter)

    @property
    def resting(self) -> bool:
        """Whether nothing of it can go on by itself."""
        return self.question is not None or (self.container is not None and self.container.resting)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost when it is stopped: it waits for a time, a person or actors, or it has settled."""
        waits = self.started.function == TIMER or self.question is not None or self.container is not None
        return waits or self.settling

    @property
    def questions(self) -> tuple[Question, ...]:
        """What it waits for."""
        if self.question is not None:
            return (self.question,)
        return () if self.container is None else self.container.questions

    @property
    def repeatable(self) -> bool:
        return self.function.idempotent(self.args)

    @property
    def cancellation(self) -> str:
        """What the record says when the call is cancelled now."""
        return OUTCOME_UNKNOWN if self.in_effect and not self.repeatable else CANCELLED


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a call, ready for the lane."""

    settled: Settled
    writes: tuple[Write, ...] = ()


Contain = Callable[[LiveCall, Flush], Awaitable[HostResult]]
"""Lets actors answer a call."""


class HostCalls:
    """Performs the calls of one actor; ``contain`` those that other actors answer. ``texts``: its VM takes values as
    texts (program.py)."""

    def __init__(
        self, run: RunContext, services: HostServices, asking: Asking, contain: Contain, *, texts: bool
    ) -> None:
        self._run = run
        self._services = replace(services, questions=asking)
        self._asking = asking
        self._contain = contain
        self._texts = texts

    async def perform(self, call: LiveCall, make_durable: Flush) -> Done:
        """Decide, do and describe one call.

        Raises:
            Unanswered: it needs a person and nobody is there.
            ContainerCancelled: it was cancelled, and the actors inside of it have ended.
        """
        self._asking.calls[call.path] = call
        try:
            result = await self._decide_and_do(call, make_durable)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # A library inside the function cancelled itself. Nobody would ever settle the call.
            message = f"{call.started.function}: the call was cancelled from within"
            return Done(self._settled(call, error={"message": message, "name": "Error"}, notes=self._notes(call, {})))
        except HostError as error:
            failure: dict[str, Any] = {"message": str(error), "name": error.name, "data": error.data}
            if error.inner:
                failure["inner"] = error.inner
            notes = self._notes(call, error.notes)
            return Done(self._settled(call, error=failure, notes=notes, token_usage=error.token_usage), error.writes)
        finally:
            del self._asking.calls[call.path]
        settled = self._settled(
            call, value=result.value, token_usage=result.token_usage, notes=self._notes(call, result.notes)
        )
        return Done(settled, result.writes)

    def cancelled(self, call: LiveCall) -> Settled:
        """The entry of a call that nobody waits for any more."""
        return self._settled(call, cancelled=call.cancellation)

    def aborted(self, call: LiveCall, reason: str) -> Settled:
        """The entry of a call that somebody else ended, and that the agent waits for."""
        data = {"outcome": "unknown"} if call.cancellation == OUTCOME_UNKNOWN else {}
        return self._settled(call, error={"message": reason, "name": ABORTED, "data": data})

    def delivery(self, started: Started, settled: Settled) -> tuple[int, bytes]:
        """The message that gives a settlement to the VM. ``started`` may be a call of the actor's parent."""
        if settled.error is not None:
            text = canonical(dict(settled.error))
            return settled.at_ms, b"[%d,0,%b]" % (settled.ordinal, text)
        value = settled.value
        unrecorded = self._run.functions[started.function].unrecorded
        if unrecorded is not None:
            try:
                value = unrecorded(exact_json.loads(started.args), self._services)
            except HostError as error:
                # An agent that saw an error where it saw a value before could go another way.
                raise ChidoriError(
                    f"{error}; the run was given its value before, and cannot go on without it",
                    hint="set it as it was when the run began",
                ) from None
        given = value or b"null"
        return settled.at_ms, b"[%d,1,%b]" % (settled.ordinal, as_text(given) if self._texts else given)

    async def _decide_and_do(self, call: LiveCall, make_durable: Flush) -> HostResult:
        target = call.function.policy_target(call.args)
        decision = None
        if target is not None:
            decision = self._run.policy.decide(target, call.function.in_force(call.args))
            await self._permit(call, target, decision)
        if call.interrupted and not call.repeatable and decision is not None and decision.in_doubt == "ask":
            await self._settle_doubt(call, target or call.started.function)
        by_actors = self.is_container(call)
        if not call.repeatable and not by_actors:
            await make_durable()
        call.in_effect = True
        call.began = time.perf_counter()
        if by_actors:
            return await self._contain(call, make_durable)
        assert call.function.run is not None
        return await call.function.run(self._host_call(call), self._services)

    def is_container(self, call: LiveCall) -> bool:
        """Whether actors answer the call."""
        function = call.function
        return function.run is None or function.by_actors(call.args, self._services)

    async def _permit(self, call: LiveCall, target: str, decision: Decision) -> None:
        if decision.decision == "allow":
            return
        if decision.decision == "deny":
            raise _denied(target, decision.reason, for_good=decision.for_good)
        if await self._approval(call, target, decision.reason) != "allow":
            why = "" if decision.reason is None else f": {decision.reason}"
            raise _denied(target, f"not approved{why}", for_good=True)

    async def _approval(self, call: LiveCall, target: str, reason: str | None) -> ApprovalDecision:
        why = f": {reason}" if reason else ""
        text = f"Allow `{target}`{why}?"
        question = _question(call, "approval", text, (YES, ALL, NO), target, reason)
        approvals = self._run.approvals
        known = approvals.known(target, call.args)
        if known is not None:  # without waiting until a person has answered what others ask
            return known
        async with approvals.asking:
            known = approvals.known(target, call.args)
            if known is not None:
                return known
            with contextlib.suppress(Unanswered):
                return await approvals.decide(question, await self._asking.ask_now(question))
        return await approvals.decide(question, await self._asking.wait(question))

    async def _settle_doubt(self, call: LiveCall, target: str) -> None:
        text = f"`{target}` was under way when the run was interrupted; it may have happened. Make it again?"
        question = _question(call, "in_doubt", text, (_AGAIN, _FAIL), target)
        if await self._asking.ask(question) == _FAIL:
            raise HostError(f"{target}: the outcome is unknown, and it was decided not to make the call again")

    def _host_call(self, call: LiveCall) -> HostCall:
        started = call.started
        return HostCall(
            run_id=self._run.run_id,
            path=call.path,
            seq=started.seq,
            function=started.function,
            args=call.args,
            at_ms=started.at_ms,
            attempt=started.attempt,
        )

    def _notes(self, call: LiveCall, notes: Any) -> dict[str, Any]:
        return {**notes, "reissued": True} if call.interrupted else notes

    def _settled(self, call: LiveCall, **outcome: Any) -> Settled:
        duration = round((time.perf_counter() - call.began) * 1000, 3)
        return Settled(
            ordinal=call.started.ordinal,
            index=self._run.numbers.next_index(),
            at_ms=self._run.now_ms(),
            duration_ms=duration,
            **outcome,
        )


def _denied(target: str, reason: str | None, *, for_good: bool) -> HostError:
    """``for_good``: making the call again in this run can only end like this."""
    return HostError(denied_text(target, reason), name="PolicyError", inner={"for_good": True} if for_good else None)


def _question(
    call: LiveCall,
    kind: Literal["approval", "in_doubt"],
    text: str,
    choices: tuple[str, ...],
    target: str,
    reason: str | None = None,
) -> Question:
    return Question(
        seq=call.started.seq,
        path=call.path,
        kind=kind,
        prompt=text,
        choices=choices,
        target=target,
        args=call.args,
        reason=reason,
    )
