"""Who watches a run: the terminal, a stream of events, nobody."""

from typing import Protocol

from ..host.function import PromptEvents, Question
from ..journal.lanes import Settled, Started


class Observer(PromptEvents, Protocol):
    """Told of everything once it is durable (a start: once it is made). Must not block and must not raise."""

    def run_started(self, run_id: str) -> None:
        """The run exists in the store and begins or goes on."""
        ...

    def call_started(self, path: str, call: Started) -> None: ...

    def call_waits(self, question: Question) -> None:
        """A call waits for a person and nobody has answered yet."""
        ...

    def call_ended(self, path: str, call: Started, settled: Settled, replayed: bool) -> None: ...

    def printed(self, level: str, text: str) -> None:
        """The agent wrote to its console."""
        ...

    def warned(self, text: str) -> None:
        """Something is degraded; it also stands in the run's record."""
        ...

    def noted(self, text: str) -> None:
        """Why something takes long; nothing is wrong."""
        ...


class Unobserved:
    """An observer that looks away."""

    def run_started(self, run_id: str) -> None: ...

    def call_started(self, path: str, call: Started) -> None: ...

    def call_waits(self, question: Question) -> None: ...

    def call_ended(self, path: str, call: Started, settled: Settled, replayed: bool) -> None: ...

    def printed(self, level: str, text: str) -> None: ...

    def warned(self, text: str) -> None: ...

    def noted(self, text: str) -> None: ...

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None: ...

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None: ...

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None: ...
