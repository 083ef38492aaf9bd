"""Costs are compared with litellm's own arithmetic on the same table."""

import pytest

from chidori_actors.cost import cost_usd
from tests.support.process import run_python


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("gpt-4o", {"input_tokens": 1000, "output_tokens": 200}),
        ("openai/gpt-4o", {"input_tokens": 1000, "output_tokens": 200, "cache_read_input_tokens": 600}),
        ("claude-sonnet-4-5", {"input_tokens": 12, "output_tokens": 3400}),
        (
            "anthropic/claude-sonnet-4-5",
            {
                "input_tokens": 5000,
                "output_tokens": 10,
                "cache_read_input_tokens": 3000,
                "cache_creation_input_tokens": 1500,
            },
        ),
        ("gemini/gemini-2.5-pro", {"input_tokens": 1000, "output_tokens": 5}),
        ("gemini/gemini-2.5-pro", {"input_tokens": 250_000, "output_tokens": 5}),
        ("gemini/gemini-2.5-pro", {"input_tokens": 200_000, "output_tokens": 5}),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_costs_are_those_that_litellm_computes(
    model: str, usage: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    monkeypatch.setenv("LITELLM_MODE", "PRODUCTION")
    import litellm

    prompt_cost, completion_cost = litellm.cost_per_token(
        model=model,
        prompt_tokens=usage["input_tokens"],
        completion_tokens=usage["output_tokens"],
        cache_read_input_tokens=usage.get("cache_read_input_tokens", 0),
        cache_creation_input_tokens=usage.get("cache_creation_input_tokens", 0),
    )
    assert prompt_cost + completion_cost > 0
    assert cost_usd(model, usage) == pytest.approx(prompt_cost + completion_cost)


@pytest.mark.parametrize("model", ["no-such-model", "nobody/gpt-4o", "anthropic/gpt-4o", "sample_spec", "", "openai/"])
def test_the_cost_of_an_unknown_model_is_unknown(model: str) -> None:
    assert cost_usd(model, {"input_tokens": 10, "output_tokens": 10}) is None


def test_a_cost_without_token_counts_is_unknown() -> None:
    assert cost_usd("gpt-4o", {}) is None
    assert cost_usd("gpt-4o", {"output_tokens": 3}) is None


def test_pricing_does_not_import_litellm() -> None:
    program = (
        "import sys; from chidori_actors.cost import cost_usd;"
        "cost_usd('gpt-4o', {'input_tokens': 1, 'output_tokens': 1}) or sys.exit('no price');"
        "sys.exit('litellm was imported' if 'litellm' in sys.modules else 0)"
    )
    done = run_python(program)
    assert (done.returncode, done.stderr) == (0, "")
