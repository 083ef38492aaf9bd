"""What calls add up to, and that an unknown price is never 0."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from chidori_actors.cost import cost_usd
from chidori_actors.journal.bases import base_write
from chidori_actors.journal.lanes import Entry, Retried, Settled, Started, encode_entry, new_lane
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import RunMeta
from chidori_actors.totals import Totals, model_cost_text, run_totals

AT = 1_700_000_000_000
USAGE = {"input_tokens": 1000, "output_tokens": 100}


def _started(ordinal: int, model: str) -> Started:
    return Started(ordinal, ordinal, 0, "prompt", orjson.dumps({"text": "x", "model": model}), AT)


def _answered(ordinal: int, usage: Mapping[str, int] | None = USAGE) -> Settled:
    return Settled(ordinal, ordinal, AT, 1, value=b'"a"', token_usage=usage)


def _by_test_provider(settled: Settled) -> Settled:
    return replace(settled, notes={"provider": "test"})


def _failed(ordinal: int, usage: Mapping[str, int] | None = None) -> Settled:
    return Settled(ordinal, ordinal, AT, 1, error={"message": "no"}, token_usage=usage)


def _totals(*entries: Entry) -> Totals:
    totals = Totals()
    totals.add(entries)
    return totals


def test_prompts_are_summed_by_model() -> None:
    totals = _totals(_started(1, "gpt-4o"), _answered(1), _started(2, "gpt-4o-mini"), _answered(2))
    assert totals.calls == {"prompt": 2}
    assert (totals.input_tokens, totals.output_tokens) == (2000, 200)
    expected = (cost_usd("gpt-4o", USAGE) or 0) + (cost_usd("gpt-4o-mini", USAGE) or 0)
    assert expected > 0
    assert totals.cost_usd == pytest.approx(expected)
    assert totals.to_json()["cost_usd"] == pytest.approx(expected)
    assert totals.to_json()["models"]["gpt-4o"]["prompts"] == 1


def test_an_unknown_price_is_said_beside_the_known_ones() -> None:
    totals = _totals(_started(1, "gpt-4o"), _answered(1), _started(2, "gpt-x"), _answered(2))
    assert totals.cost_text() == "$0.003500 + unknown for gpt-x"
    assert totals.to_json()["cost_usd"] is None
    assert [model_cost_text(totals.models[model]) for model in ("gpt-4o", "gpt-x")] == ["$0.003500", "unknown"]
    assert _totals(_started(1, "gpt-x"), _answered(1)).cost_text() == "unknown for gpt-x"


def test_an_answer_without_usage_has_an_unknown_price_and_a_failure_without_usage_has_none() -> None:
    totals = _totals(_started(1, "gpt-4o"), _answered(1, usage=None), _started(2, "gpt-4o"), _failed(2))
    assert (totals.models["gpt-4o"].unpriced, totals.models["gpt-4o"].prompts) == (1, 2)
    assert totals.cost_text() == "$0.0000 + unknown for gpt-4o"
    assert _totals(_started(2, "gpt-4o"), _failed(2)).cost_text() == "$0.0000"
    assert _totals(_started(2, "gpt-x"), _failed(2)).cost_text() == "unknown for gpt-x"


def test_what_a_resume_did_again_was_paid_for_twice() -> None:
    totals = _totals(_started(1, "gpt-4o"), _failed(1, USAGE), Retried(1, AT), _answered(1))
    assert totals.input_tokens == 2000
    assert totals.models["gpt-4o"].prompts == 2


def test_the_test_provider_costs_nothing_and_that_is_said() -> None:
    dry = _totals(
        _started(1, "gpt-4o"),
        _by_test_provider(_answered(1)),
        _started(2, "gpt-x"),
        _by_test_provider(_failed(2, USAGE)),
    )
    assert (dry.cost_usd, dry.unpriced_models, dry.input_tokens) == (0, [], 2000)
    assert dry.cost_text() == "$0.0000 (test provider, no cost)"
    assert [model_cost_text(sums) for sums in dry.models.values()] == ["$0.0000 (test provider, no cost)"] * 2
    found = dry.to_json()
    assert (found["cost_usd"], found["models"]["gpt-x"]["test_prompts"]) == (0, 1)


def test_prompts_of_the_test_provider_do_not_hide_what_others_cost() -> None:
    mixed = _totals(
        *(_started(1, "gpt-4o"), _by_test_provider(_answered(1)), _started(2, "gpt-4o"), _answered(2)),
        *(_started(3, "gpt-x"), _answered(3)),
    )
    assert mixed.cost_text() == "$0.003500 + unknown for gpt-x (1 of the test provider, no cost)"
    assert model_cost_text(mixed.models["gpt-4o"]) == "$0.003500 (1 of the test provider, no cost)"
    assert mixed.to_json()["cost_usd"] is None


def test_attempts_before_the_outcome_are_counted() -> None:
    tried = Settled(1, 1, AT, 1, value=b"1", notes={"attempts": [{"status": 429}, {"status": 500}]})
    assert _totals(Started(1, 1, 0, "http", b"{}", AT), tried).attempts == 2
    other = Settled(1, 1, AT, 1, value=b"1", notes={"attempts": "many"})
    assert _totals(Started(1, 1, 0, "http", b"{}", AT), other).attempts == 0


def test_calls_without_a_model_do_no_harm() -> None:
    for args in (b"[]", b"null", b'{"model":3}'):
        totals = _totals(Started(1, 1, 0, "prompt", args, AT), _answered(1))
        assert totals.cost_text() == "unknown for (no model)"
    assert Totals().cost_text() == "$0.0000"


async def test_a_branch_from_history_counts_what_it_paid_itself(tmp_path: Path) -> None:
    shared: list[Entry] = [_started(1, "gpt-4o"), _started(2, "gpt-4o"), _started(3, "gpt-4o"), _answered(2)]
    own: list[Entry] = [
        replace(_answered(3), notes={"edited": True}),
        _answered(1),
        _started(4, "gpt-4o-mini"),
        _answered(4),
    ]
    store = LocalStore.open(tmp_path / "store")
    parent, branch = await new_lane(store, "run"), await new_lane(store, "run")
    writes = [write for number, entry in enumerate(shared) for write in encode_entry(parent, number, entry)]
    writes += [write for number, entry in enumerate(own, start=4) for write in encode_entry(branch, number, entry)]
    await store.commit([*writes, base_write(branch, parent, 4)])
    meta = RunMeta("branch", "a.ts", "completed", b"{}", AT, AT, "00", AT, branch, {})
    totals = run_totals(store, meta)
    store.close()
    assert totals.calls == {"prompt": 1}
    # The call that was in flight where the branch began was made again, and paid for; the edited one was not.
    assert {model: sums.prompts for model, sums in totals.models.items()} == {"gpt-4o": 1, "gpt-4o-mini": 1}


def test_sums_of_several_runs_are_added_up() -> None:
    both = _totals(_started(1, "gpt-4o"), _answered(1))
    both.include(_totals(_started(1, "gpt-4o"), _answered(1), _started(2, "gpt-x"), _failed(2, USAGE)))
    assert (both.calls, both.models["gpt-4o"].input_tokens, both.models["gpt-x"].unpriced) == ({"prompt": 3}, 2000, 1)
