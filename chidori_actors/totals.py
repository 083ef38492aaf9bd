"""What calls add up to: how many of each function, and what prompts used and cost by model."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import orjson

from .cost import cost_usd
from .host.providers import TEST_PROVIDER
from .journal.actors import actor_places
from .journal.bases import lane_base
from .journal.json_text import parse_json
from .journal.lanes import Entry, Settled, Started, read_lane
from .journal.runs import RunMeta
from .journal.store import Store

_PROMPT = "prompt"
_NO_MODEL = "(no model)"
_LEAST_SHOWN_AS_CENTS = 0.01
_STEP = 100


@dataclass(slots=True)
class ModelTotals:
    """The prompts of one model. ``tests`` of them were answered by the test provider, which costs nothing, and
    ``unpriced`` at a price that is not known; ``cost_usd`` is that of the others, in US dollars."""

    prompts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0
    tests: int = 0


_SUMMED = tuple(each.name for each in fields(ModelTotals))


@dataclass(slots=True)
class Totals:
    """Sums over lanes as they were written: what a resume did again was done and paid for twice, and counts twice.

    ``attempts`` are the failed attempts at calls that were tried again.
    """

    calls: Counter[str] = field(default_factory=Counter)
    models: dict[str, ModelTotals] = field(default_factory=dict)
    attempts: int = 0

    def add(self, entries: Iterable[Entry], started: Iterable[Started] = ()) -> None:
        """Count the entries of one lane. ``started`` are calls that are counted elsewhere and may settle here."""
        models = {call.ordinal: _model_of(call) for call in started if call.function == _PROMPT}
        for entry in entries:
            if isinstance(entry, Started):
                self.calls[entry.function] += 1
                if entry.function == _PROMPT:
                    models[entry.ordinal] = _model_of(entry)
            elif isinstance(entry, Settled):
                self.attempts += failed_attempts(entry)
                if entry.ordinal in models and not _is_edited(entry):
                    self._add_prompt(models[entry.ordinal], entry)

    def include(self, other: "Totals") -> None:
        """Add what others add up to."""
        self.calls += other.calls
        self.attempts += other.attempts
        for model, sums in other.models.items():
            own = self.models.setdefault(model, ModelTotals())
            for name in _SUMMED:
                setattr(own, name, getattr(own, name) + getattr(sums, name))

    def _add_prompt(self, model: str, settled: Settled) -> None:
        sums = self.models.setdefault(model, ModelTotals())
        sums.prompts += 1
        usage = settled.token_usage
        if usage is not None:
            sums.input_tokens += usage.get("input_tokens", 0)
            sums.output_tokens += usage.get("output_tokens", 0)
        if settled.notes.get("provider") == TEST_PROVIDER:
            sums.tests += 1
            return
        if usage is None and settled.value is None:
            # A request that was refused costs nothing; one that was cancelled may have, and an unknown model too.
            if settled.cancelled is not None or cost_usd(model, {"input_tokens": 0, "output_tokens": 0}) is None:
                sums.unpriced += 1
            return
        cost = None if usage is None else cost_usd(model, usage)
        if cost is None:
            sums.unpriced += 1
        else:
            sums.cost_usd += cost

    @property
    def input_tokens(self) -> int:
        return sum(sums.input_tokens for sums in self.models.values())

    @property
    def output_tokens(self) -> int:
        return sum(sums.output_tokens for sums in self.models.values())

    @property
    def cost_usd(self) -> float:
        """What is known of the cost; ``unpriced_models`` names what is missing."""
        return sum(sums.cost_usd for sums in self.models.values())

    @property
    def unpriced_models(self) -> list[str]:
        """The models of whose prompts at least one has no known price."""
        return sorted(model for model, sums in self.models.items() if sums.unpriced)

    def to_json(self) -> dict[str, Any]:
        """All of it; a ``cost_usd`` is null as soon as a part of it is unknown, ``cost`` says it in words."""
        return {
            "calls": dict(self.calls.most_common()),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": None if self.unpriced_models else self.cost_usd,
            "cost": self.cost_text(),
            "models": {model: _model_json(sums) for model, sums in sorted(self.models.items())},
            "failed_attempts": self.attempts,
        }

    def cost_text(self) -> str:
        """For people: ``$0.0123 + unknown for gpt-x``."""
        sums = self.models.values()
        parts = [_dollars(self.cost_usd)] if not sums or any(each.prompts > each.unpriced for each in sums) else []
        if self.unpriced_models:
            parts.append(f"unknown for {', '.join(self.unpriced_models)}")
        return " + ".join(parts) + _tests_text(sum(each.tests for each in sums), sum(each.prompts for each in sums))


@dataclass(slots=True)
class _CountedLane:
    """``read`` entries were counted or are shared with another run, ``shared`` of them not looked at; ``prompts`` are
    the prompts that were seen, by their ordinals."""

    read: int
    shared: int
    prompts: dict[int, Started] = field(default_factory=dict)


class RunningTotals:
    """What all actors of a run add up to while it goes on: each entry of its lanes is counted once. ``root`` is the
    lane of its root. A branch from history counts what it did itself, not what it shares."""

    def __init__(self, store: Store, root: int) -> None:
        self._store = store
        self._root = root
        self._lanes: dict[int, _CountedLane] = {}
        self.totals = Totals()

    def count(self) -> Iterator[None]:
        """Count what came since the last time, in small steps.

        Raises:
            StoreError: an entry is missing or damaged.
        """
        for lane in (self._root, *(place.lane for place in actor_places(self._store, self._root))):
            yield from self._count(lane)

    def _count(self, number: int) -> Iterator[None]:
        lane = self._lanes.get(number)
        if lane is None:
            base = lane_base(self._store, number)
            shared = 0 if base is None else base.length
            lane = self._lanes[number] = _CountedLane(shared, shared)
        while True:
            entries: list[Entry] = []
            for entry in read_lane(self._store, number, start=lane.read, limit=_STEP):
                entries.append(_without_texts(entry))
                yield
            if lane.shared and _made_before(lane.prompts, entries):
                _remember(lane, map(_without_texts, read_lane(self._store, number, limit=lane.shared)))
                lane.shared = 0
            self.totals.add(entries, lane.prompts.values())
            _remember(lane, entries)
            lane.read += len(entries)
            if len(entries) < _STEP:
                return


def run_totals(store: Store, meta: RunMeta) -> Totals:
    """What all actors of a run add up to, see ``RunningTotals``.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    running = RunningTotals(store, meta.lane)
    for _ in running.count():
        pass
    return running.totals


def _remember(lane: _CountedLane, entries: Iterable[Entry]) -> None:
    for entry in entries:
        if isinstance(entry, Started) and entry.function == _PROMPT:
            lane.prompts[entry.ordinal] = entry


def _without_texts(entry: Entry) -> Entry:
    """The entry without what can be long: of a prompt nobody asks for more than the model, of a result whether it is
    there."""
    if isinstance(entry, Started):
        args = orjson.dumps({"model": _model_of(entry)}) if entry.function == _PROMPT else b"{}"
        return replace(entry, args=args)
    return replace(entry, value=b"") if isinstance(entry, Settled) and entry.value is not None else entry


def _made_before(known: Container[int], entries: Iterable[Entry]) -> bool:
    """Whether one of ``entries`` may be the end of a call that was made before them, and is not ``known``."""
    made: set[int] = set()
    found = False
    for entry in entries:
        if isinstance(entry, Started):
            made.add(entry.ordinal)
        elif isinstance(entry, Settled) and not (entry.inherited or entry.ordinal in made or _is_edited(entry)):
            found = found or entry.ordinal not in known
    return found


def _is_edited(settled: Settled) -> bool:
    """Whether somebody gave the result instead of the call: it was not paid for."""
    return settled.notes.get("edited") is True


def model_cost_text(sums: ModelTotals) -> str:
    """The cost of one model's prompts for people: ``unknown`` when none of it is known."""
    if sums.unpriced and sums.unpriced == sums.prompts:
        return "unknown"
    unknown = f" + unknown for {sums.unpriced} prompts" if sums.unpriced else ""
    return _dollars(sums.cost_usd) + unknown + _tests_text(sums.tests, sums.prompts)


def failed_attempts(settled: Settled) -> int:
    """How often the call was tried before this outcome without success, as its notes tell."""
    attempts = settled.notes.get("attempts", 0)
    return len(attempts) if isinstance(attempts, list) else int(attempts) if isinstance(attempts, int) else 0


def _model_of(call: Started) -> str:
    args = parse_json(call.args)
    model = args.get("model") if isinstance(args, Mapping) else None
    return model if isinstance(model, str) else _NO_MODEL


def _model_json(sums: ModelTotals) -> dict[str, Any]:
    return {
        "prompts": sums.prompts,
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "test_prompts": sums.tests,
        "cost_usd": None if sums.unpriced else sums.cost_usd,
        "cost": model_cost_text(sums),
    }


def _tests_text(tests: int, prompts: int) -> str:
    if not tests:
        return ""
    return " (test provider, no cost)" if tests == prompts else f" ({tests} of the test provider, no cost)"


def _dollars(cost: float) -> str:
    """Four decimals, and six for what would then be lost."""
    return f"${cost:.4f}" if cost == 0 or cost >= _LEAST_SHOWN_AS_CENTS else f"${cost:.6f}"
