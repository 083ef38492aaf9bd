"""What the VM calls: what the record has there, which must be the same call, or a new one that goes into the lane."""

from .. import exact_json
from ..journal.lanes import Started
from ..vm.machine import Call, VmFailed
from .actor_spec import ActorSpec
from .context import RunContext
from .divergence import check_same_call, unrecorded_call
from .failure import place_of
from .host_calls import LiveCall
from .lane_writer import LaneWriter
from .past import Past


class MadeCalls:
    """The calls of one actor. ``made_last`` is the ordinal of the last one that its VM made."""

    def __init__(self, spec: ActorSpec, run: RunContext, lane: LaneWriter) -> None:
        self._spec = spec
        self._run = run
        self._lane = lane
        self.made_last = 0

    def take(self, made: Call, past: Past) -> LiveCall | None:
        """The call that the VM now waits for; None when nobody will ever settle it.

        Raises:
            ReplayDivergence: the record has another call at its place, or none although it is complete.
            VmFailed: no agent makes such a call.
        """
        self._check(made)
        self.made_last = made.ordinal
        recorded = past.started.get(made.ordinal)
        if recorded is not None and recorded.args == made.args and recorded.function == made.function:
            return self.recorded(recorded, past)
        function = self._run.functions[made.function]
        args = _args_of(made)
        if function.record_args is not None:
            args = function.record_args(args, self._run.services.default_model)
        if recorded is not None:
            check_same_call(recorded, made.function, dict(args), place_of(made.site, self._spec.bundle))
            return self.recorded(recorded, past)
        if self._spec.live:
            return self._begin(made, args)
        if self._spec.record_complete:
            place = place_of(made.site, self._spec.bundle)
            raise unrecorded_call(self._run.numbers.next_seq(), made.function, args, place)
        return None

    def _check(self, made: Call) -> None:
        if made.ordinal != self.made_last + 1 or made.function not in self._run.functions:
            raise VmFailed(
                f"the agent's VM was tampered with: its call {made.ordinal} of `{made.function}` is none that an agent "
                f"can make after {self.made_last}"
            )

    def recorded(self, started: Started, past: Past) -> LiveCall | None:
        """A call of the record; None when it was cancelled."""
        settled = past.settled.get(started.ordinal)
        if settled is not None and not settled.delivered:
            return None
        path = self.path(started.ordinal)
        # The process that made it may have got as far as doing it, unless it did nothing but wait.
        return LiveCall(
            started,
            self._run.functions[started.function],
            exact_json.loads(started.args),
            path,
            past.numbers[started.ordinal],
            in_effect=path not in self._run.waiting,
        )

    def path(self, ordinal: int) -> str:
        """The call's identity in the run."""
        return f"{self._spec.path}/{ordinal}" if self._spec.path else str(ordinal)

    def _begin(self, made: Call, args: dict[str, object]) -> LiveCall:
        function = self._run.functions[made.function]
        started = Started(
            ordinal=made.ordinal,
            seq=self._run.numbers.next_seq(),
            after=made.after,
            function=made.function,
            args=made.args if function.record_args is None else exact_json.dumps(args),
            at_ms=self._run.now_ms(),
            site=made.site or None,
            parent_seq=self._spec.parent_seq,
            attempt=self._run.attempt,
        )
        call = LiveCall(started, function, args, self.path(made.ordinal), self._lane.append(started))
        self._run.observer.call_started(call.path, started)
        return call


def _args_of(made: Call) -> dict[str, object]:
    try:
        args = exact_json.loads(made.args)
    except ValueError:
        args = None
    if not isinstance(args, dict):
        raise VmFailed(
            f"the agent's VM was tampered with: the arguments of its call {made.ordinal} of `{made.function}` are no "
            "JSON object"
        )
    return args
