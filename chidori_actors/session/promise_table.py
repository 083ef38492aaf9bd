"""The host-promise table of one actor: the calls that its VM waits for, from when it makes one until it is answered."""

from collections.abc import Callable, Container, Iterator
from functools import partial

from ..journal.lanes import Started
from .actor_spec import ActorSpec
from .call_runner import CallRunner
from .containers import Containers
from .context import RunContext
from .forks import Forks
from .host_calls import LiveCall
from .inheritance import Inheritance


class PromiseTable:
    """``calls`` by their ordinals. What the VM calls in a step is entered, then its forks are taken, then what is new
    is begun; what it gives up is recorded as cancelled."""

    def __init__(
        self,
        spec: ActorSpec,
        run: RunContext,
        runner: CallRunner,
        forks: Forks,
        containers: Containers,
        inheritance: Inheritance,
    ) -> None:
        self._spec = spec
        self._run = run
        self._runner = runner
        self._forks = forks
        self._containers = containers
        self._inheritance = inheritance
        self.calls: dict[int, LiveCall] = {}
        # What the VM called in the step that is under way, and which of its calls fork it.
        self._new: list[LiveCall] = []
        self._forking: list[LiveCall] = []
        self._aborted: set[int] = set()

    def enter(self, call: LiveCall, *, is_new: bool, has_settled: bool) -> None:
        """The VM waits for the call; ``is_new`` when it is not in the record, which may have its settlement too."""
        self.calls[call.started.ordinal] = call
        if is_new:
            self._new.append(call)
        if self._spec.live and call.function.forks(call.args) and not has_settled:
            if not is_new and self._forks.is_known(call):
                self._forks.expect(call)
            else:
                # A new one, or that of an imported run, which comes without images.
                self._forking.append(call)

    def pending(self) -> Iterator[tuple[int, Started]]:
        """What the VM waits for, by key: its own calls, and those of its parent."""
        for ordinal, call in self.calls.items():
            yield ordinal, call.started
        yield from self._inheritance.pending()

    def fork(self, tail: Callable[[], int], *, ended: bool) -> None:
        """The VM is where its branches begin: before it is given anything else, its memory is kept for them. ``tail``
        gives the place in the lane of the first settlement that it was not given yet. One that ``ended`` has none."""
        forking = [call for call in self._forking if call.started.ordinal in self.calls]
        self._forking = []
        if forking and not ended:
            self._forks.take(forking, self.pending(), tail())

    @property
    def is_idle(self) -> bool:
        """Whether nothing is lost when all of its calls are stopped now."""
        return all(call.is_idle for call in self.calls.values())

    @property
    def is_finishing(self) -> bool:
        """Whether a call goes on that is finished although the agent has ended."""
        return any(call.function.finishes and call.question is None for call in self.calls.values())

    # -- live ---------------------------------------------------------------------------------------------------------

    def issue_new(self, *, ended: bool) -> None:
        """Begin what the VM called and has not given up since. An agent that ``ended`` has it finished or cancelled."""
        new, self._new = self._new, []
        if self._runner.is_open:
            for call in new:
                if call.started.ordinal in self.calls and (not ended or call.function.finishes):
                    self._issue(call, again=False)

    def issue_all(self, recorded: Container[int], *, ended: bool) -> None:
        """Begin what is pending after a replay, again what is ``recorded``, and stop what the agent gave up in it."""
        for call in list(self.calls.values()):
            # The agent may have ended before the crash: then only what is finished anyway is made, and actors are
            # started that are still to be recorded as cancelled.
            if not ended or call.function.finishes or self._run.actors.has_any(call.started.seq):
                self._issue(call, again=call.started.ordinal in recorded)
        for ordinal in self._aborted & self.calls.keys():
            self.give_up(ordinal)

    def _issue(self, call: LiveCall, *, again: bool) -> None:
        if call.started.ordinal not in self._aborted:
            call.interrupted = again and call.path not in self._run.waiting
            self._runner.issue(call)

    def give_up(self, ordinal: int) -> None:
        """The agent aborted a call: it is stopped unless its settlement is on its way already; in a replay later."""
        if not self._runner.is_open:
            self._aborted.add(ordinal)
            return
        call = self.calls.get(ordinal)
        if call is not None and not call.settling:
            del self.calls[ordinal]
            self._runner.give_up(call, lambda settled: self._containers.cancelled(call, settled))

    def was_given_up(self, ordinal: int) -> bool:
        """Whether the agent aborted that call in its replay."""
        return ordinal in self._aborted

    def abort(self, seq: int | None, reason: str) -> None:
        """Somebody outside wants the call with that seq ended, if it is here."""
        call = next((call for call in self.calls.values() if call.started.seq == seq), None)
        if call is not None and self._runner.is_open:
            self._runner.abort(call, reason, partial(self._forks.drop, call))
