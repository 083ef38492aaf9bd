"""The services that host functions get, with fakes for people and for the event stream."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from chidori_actors.host.function import (
    HostCall,
    HostError,
    HostFunction,
    HostServices,
    JsonObject,
    Question,
    ToolDefinition,
    Unanswered,
)
from chidori_actors.host.resources import Resources
from chidori_actors.host.secrets import Secrets
from chidori_actors.journal.store import Write
from chidori_actors.policy import Policy
from chidori_actors.settings import load_settings


@dataclass
class ScriptedQuestions:
    """Answers questions in order; nobody is there once the answers are used up."""

    answers: list[str] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)

    async def ask(self, question: Question) -> str:
        self.asked.append(question)
        if not self.answers:
            raise Unanswered(question)
        return self.answers.pop(0)


@dataclass
class RecordedEvents:
    """Keeps what was streamed, as tuples that begin with the event's name."""

    seen: list[tuple[Any, ...]] = field(default_factory=list)

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None:
        self.seen.append(("prompt_start", stream_id, seq, prompt_type, model))

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None:
        self.seen.append(("prompt_delta", stream_id, seq, prompt_type, delta))

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None:
        self.seen.append(("prompt_end", stream_id, seq, prompt_type, error))


@dataclass
class DictMemory:
    """Memory in a dict; ``apply`` does what the journal does with a result's writes."""

    entries: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def get(self, namespace: str, key: str) -> bytes | None:
        return self.entries.get((namespace, key))

    def scan(self, namespace: str, prefix: str) -> list[tuple[str, bytes]]:
        found = [(key, value) for (space, key), value in self.entries.items() if space == namespace]
        return sorted(item for item in found if item[0].startswith(prefix))

    def put(self, namespace: str, key: str, value: bytes) -> Write:
        return Write("memory", f"{namespace}\0{key}".encode(), value)

    def delete(self, namespace: str, key: str) -> Write:
        return Write("memory", f"{namespace}\0{key}".encode(), None)

    def apply(self, writes: Sequence[Write]) -> None:
        for write in (write for write in writes if write.database == "memory"):
            namespace, _, key = write.key.decode().partition("\0")
            if write.value is None:
                self.entries.pop((namespace, key), None)
            else:
                self.entries[namespace, key] = write.value


@dataclass
class FakeTools:
    """Local tools that take any arguments; those in ``results`` are remote and answer with that JSON text."""

    known: Sequence[ToolDefinition] = ()
    results: Mapping[str, bytes] = field(default_factory=dict)
    called: list[tuple[str, JsonObject]] = field(default_factory=list)

    async def definitions(self, names: Sequence[str]) -> Sequence[ToolDefinition]:
        by_name = {tool.name: tool for tool in self.known}
        if unknown := [name for name in names if name not in by_name]:
            raise HostError(f"Unknown tool: {unknown[0]} (available: {', '.join(by_name)})")
        return [by_name[name] for name in names]

    async def call(self, name: str, arguments: JsonObject) -> bytes:
        self.called.append((name, arguments))
        return self.results[name]

    async def validate(self, name: str, arguments: JsonObject) -> None:
        await self.definitions([name])

    def is_remote(self, name: str) -> bool:
        return name in self.results


def make_services(
    project: Path,
    *,
    environ: Mapping[str, str] | None = None,
    answers: Sequence[str] = (),
    default_model: str | None = None,
    resources: Resources | None = None,
    seed: str = "seed",
    tools: Sequence[ToolDefinition] = (),
) -> HostServices:
    """Services of one run whose templates lie in ``project`` and whose settings come from ``environ``."""
    variables = dict(environ or {})
    settings = load_settings(variables)

    def read_template(path: str) -> str | None:
        file = project / path
        return file.read_text(encoding="utf-8") if file.is_file() else None

    return HostServices(
        settings=settings,
        run_id="run-1",
        default_model=default_model,
        questions=ScriptedQuestions(list(answers)),
        events=RecordedEvents(),
        memory=DictMemory(),
        secrets=Secrets(variables, seed, Policy.load(settings).hosts_for),
        refusal=Policy.load(settings).refusal,
        read_template=read_template,
        resources=resources or Resources(),
        tools=FakeTools(tools),
        noted=lambda text: None,
    )


def make_call(function: str, args: dict[str, Any], *, path: str = "4/2", seq: int = 7) -> HostCall:
    """A call as it reaches a host function: ``args`` are the record's."""
    return HostCall(run_id="run-1", path=path, seq=seq, function=function, args=args, at_ms=int(time.time() * 1000))


async def run_function(function: HostFunction, args: dict[str, Any], services: HostServices) -> Any:
    """Run a host function on the args that the prelude sends, apply its writes, and give its value parsed."""
    recorded = function.record_args(args, services.default_model) if function.record_args else args
    assert function.run is not None, f"{function.name} is not run by the host"
    result = await function.run(make_call(function.name, recorded), services)
    if isinstance(services.memory, DictMemory):
        services.memory.apply(result.writes)
    return orjson.loads(result.value)
