"""What the command line says while a run goes on: ``Observer``s for people and for programs."""

from typing import Any

import orjson

from .. import exact_json
from ..clipping import clip
from ..host.function import Question
from ..journal.lanes import Settled, Started
from ..journal.records import call_records, error_text
from ..session.outcome import Completed, Failed, Paused
from .call_words import failure_text, waits_for
from .output import write
from .plain_text import counted
from .screen import Screen

_SHOWN = 200


class ConsoleReport:
    """For people, on stderr: each call as it starts, waits and ends (``progress``), the agent's console
    (``verbose``), and always the run's id, warnings and denials."""

    def __init__(self, screen: Screen, *, progress: bool, verbose: bool) -> None:
        self._screen = screen
        self._progress = progress
        self._verbose = verbose
        self._replayed = 0
        self._recorded: int | None = None
        self._names: dict[int, str] = {}
        self.run_id: str | None = None

    def expect(self, recorded: int) -> None:
        """So many calls will be answered from the record."""
        self._recorded = recorded

    def run_started(self, run_id: str) -> None:
        self.run_id = run_id
        self._screen.write(f"run {run_id}")

    def call_started(self, path: str, call: Started) -> None:
        if self._progress:
            self.tell_replayed()
            name = _name(path, call.function)
            self._names[call.seq] = name
            self._screen.write(f"#{call.seq} {name} …")
            self._screen.began(call.seq, name)

    def call_waits(self, question: Question) -> None:
        self._screen.ended(question.seq)
        if self._progress:
            self._screen.write(f"#{question.seq} {_name(question.path, waits_for(question.kind))}")

    def call_ended(self, path: str, call: Started, settled: Settled, replayed: bool) -> None:
        if replayed:
            self._replayed += 1
            self._screen.replays(self._replayed, self._recorded)
            return
        self._screen.ended(call.seq)
        self._names.pop(call.seq, None)
        name = f"#{call.seq} {_name(path, call.function)}"
        error = error_text(settled)
        if self._progress:
            self.tell_replayed()
        if error is not None and error.startswith("policy:"):
            self._screen.write(f"warning: {name}: {error}")
        elif self._progress:
            self._screen.write(f"{name} {_figures(settled)}" + (f" {failure_text(error, _SHOWN)}" if error else ""))
        for warning in settled.notes.get("warnings", ()):
            self._screen.write(f"warning: {name}: {warning}")

    def printed(self, level: str, text: str) -> None:
        if self._verbose:
            source = level if level == "print" else f"console.{level}"  # Starlark's, JavaScript's
            self._screen.write(f"{source}: {text}")

    def warned(self, text: str) -> None:
        self._screen.write(f"warning: {text}")

    def noted(self, text: str) -> None:
        if self._progress:
            self._screen.write(text)

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None:
        if self._progress:
            self._screen.began(seq, f"{self._names.get(seq, 'prompt')} {model}")

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None: ...

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None:
        if error is not None and error != "cancelled" and self._progress:
            name = self._names.get(seq, "prompt")
            self._screen.write(f"#{seq} {name} attempt failed: {clip(error, _SHOWN)}")

    def tell_replayed(self) -> None:
        """Say how many calls the record has answered since this was said last."""
        self._screen.replays(0, None)
        if self._replayed and self._progress:
            self._screen.write(f"{counted(self._replayed, 'call')} answered from the record")
        self._replayed = 0


def _name(path: str, what: str) -> str:
    """``what``, a call's function, behind the actor that made the call: ``7/b1 prompt``."""
    actor = path.rpartition("/")[0]
    return f"{actor} {what}" if actor else what


def _figures(settled: Settled) -> str:
    seconds = f"{settled.duration_ms / 1000:.1f}s"
    if settled.token_usage is None:
        return seconds
    tokens = settled.token_usage.get("input_tokens", 0) + settled.token_usage.get("output_tokens", 0)
    return f"{seconds} {tokens} tokens"


class StreamReport:
    """For programs, on stdout: every event as one JSON object a line (wire contract, section 2); the rest
    goes to ``console``."""

    def __init__(self, console: ConsoleReport) -> None:
        self._console = console

    def run_started(self, run_id: str) -> None:
        self._console.run_started(run_id)

    def call_started(self, path: str, call: Started) -> None:
        self._console.call_started(path, call)

    def call_waits(self, question: Question) -> None:
        self._console.call_waits(question)

    def call_ended(self, path: str, call: Started, settled: Settled, replayed: bool) -> None:
        self._console.call_ended(path, call, settled, replayed)
        actor = path.rpartition("/")[0]
        record = call_records([call, settled], actor=actor)[0]
        self.emit("call", {"record": record | ({"replayed": True} if replayed else {})})

    def printed(self, level: str, text: str) -> None:
        self._console.printed(level, text)

    def warned(self, text: str) -> None:
        self._console.warned(text)

    def noted(self, text: str) -> None:
        self._console.noted(text)

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None:
        self._console.prompt_start(stream_id, seq, prompt_type, model)
        self._prompt("prompt_start", stream_id, seq, prompt_type, {"model": model})

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None:
        self._prompt("prompt_delta", stream_id, seq, prompt_type, {"delta": delta})

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None:
        self._console.prompt_end(stream_id, seq, prompt_type, error)
        self._prompt("prompt_end", stream_id, seq, prompt_type, {"error": error})

    def done(self, run_id: str, rest: object) -> None:
        """The last line. A replay that came to the end of an unfinished record has none."""
        if isinstance(rest, Completed):
            self.emit("done", {"id": run_id, "status": "completed", "output": orjson.Fragment(rest.output)})
        elif isinstance(rest, Failed):
            self.emit("done", {"id": run_id, "status": "failed", "error": rest.error["message"]})
        elif isinstance(rest, Paused):
            oldest = rest.questions[0]
            self.emit(
                "done",
                {
                    "id": run_id,
                    "status": "paused",
                    "pending_seq": oldest.seq,
                    "pending_prompt": oldest.prompt,
                    "pending": rest.questions,
                },
            )

    def emit(self, kind: str, fields: dict[str, Any]) -> None:
        """One event."""
        write(exact_json.dumps({"type": kind, **fields}))

    def _prompt(self, kind: str, stream_id: str, seq: int, prompt_type: str | None, more: dict[str, Any]) -> None:
        self.emit(kind, {"stream_id": stream_id, "seq": seq, "prompt_type": prompt_type} | more)
