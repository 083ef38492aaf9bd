"""What all stored runs add up to."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from ..errors import StoreError
from ..history import current_status
from ..journal.runs import list_runs
from ..journal.store import Store
from ..totals import Totals, model_cost_text, run_totals
from .plain_text import counted, table

_PAGE = 200


@dataclass(slots=True)
class Statistics:
    """Runs by status, and the sums over their calls; ``damaged`` are the ids of runs that are in neither."""

    statuses: Counter[str] = field(default_factory=Counter)
    totals: Totals = field(default_factory=Totals)
    damaged: list[str] = field(default_factory=list)


def read_statistics(store: Store) -> Statistics:
    """Reads every lane once, and holds one at a time. Of a run with a damaged one nothing is counted."""
    found = Statistics()
    cursor: str | None = None
    while True:
        page = list_runs(store, limit=_PAGE, cursor=cursor)
        found.damaged += page.damaged
        for meta in page.runs:
            try:
                totals = run_totals(store, meta)
                status = current_status(store, meta)
            except StoreError:
                found.damaged.append(meta.id)
                continue
            found.statuses[status] += 1
            found.totals.include(totals)
        cursor = page.next_cursor
        if cursor is None:
            return found


def statistics_json(found: Statistics) -> bytes:
    """``{runs: {status: count}, damaged: [id], calls, input_tokens, output_tokens, cost_usd, cost, models,
    failed_attempts}``."""
    document = {
        "runs": dict(found.statuses.most_common()),
        "damaged": found.damaged,
        **found.totals.to_json(),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def statistics_lines(found: Statistics) -> Iterator[str]:
    """The same for people."""
    totals = found.totals
    yield _sum("run", found.statuses)
    yield _sum("call", totals.calls)
    if totals.attempts:
        yield f"{counted(totals.attempts, 'failed attempt')} tried again"
    if not totals.models:
        return
    yield ""
    yield from table(
        ("MODEL", "PROMPTS", "TOKENS IN", "TOKENS OUT", "COST"),
        (
            (model, str(sums.prompts), str(sums.input_tokens), str(sums.output_tokens), model_cost_text(sums))
            for model, sums in sorted(totals.models.items())
        ),
    )
    yield f"total cost {totals.cost_text()}"


def _sum(noun: str, counts: Counter[str]) -> str:
    parts = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    return counted(counts.total(), noun) + (f": {parts}" if parts else "")
