"""What a prompt cost, from litellm's price table, which is read without importing litellm (2.5 s)."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

_TABLE = "model_prices_and_context_window_backup.json"
_TIER = re.compile(r"_above_(\d+)k_tokens$")
_NOT_A_MODEL = "sample_spec"  # the table's own description of its fields, with prices of 0

PriceEntry = Mapping[str, Any]


def cost_usd(model: str, token_usage: Mapping[str, int]) -> float | None:
    """The price of one prompt in US dollars; None when it is unknown, never 0 instead.

    ``model`` is a litellm name, with or without its provider (``openai/gpt-4o``, ``claude-sonnet-4-5``).
    ``token_usage`` is that of a call record; as in litellm, ``input_tokens`` includes the tokens read from
    and written to the provider's cache, and these have their own price where the table has one.
    """
    prices = _entry(model)
    if prices is None or "input_tokens" not in token_usage or "output_tokens" not in token_usage:
        return None
    sent = token_usage["input_tokens"]
    received = token_usage["output_tokens"]
    cached = token_usage.get("cache_read_input_tokens", 0)
    written = token_usage.get("cache_creation_input_tokens", 0)
    per_input = _price(prices, "input_cost_per_token", sent)
    per_output = _price(prices, "output_cost_per_token", sent)
    if per_input is None or per_output is None:
        return None
    per_cached = _price(prices, "cache_read_input_token_cost", sent)
    per_written = _price(prices, "cache_creation_input_token_cost", sent)
    return (
        max(sent - cached - written, 0) * per_input
        + cached * (per_input if per_cached is None else per_cached)
        + written * (per_input if per_written is None else per_written)
        + received * per_output
    )


def _entry(model: str) -> PriceEntry | None:
    table = _price_table()
    if model == _NOT_A_MODEL:
        return None
    entry = table.get(model)
    if entry is None and "/" in model:
        provider, _, bare = model.partition("/")
        entry = table.get(bare)
        if entry is not None and entry.get("litellm_provider") != provider:
            return None
    return entry


def _price(prices: PriceEntry, field: str, input_tokens: int) -> float | None:
    """Dollars per token; some models cost more once the input is longer than some thousand tokens."""
    price, reached = prices.get(field), 0
    for name, value in prices.items():
        tier = _TIER.search(name)
        if tier and name[: tier.start()] == field and value is not None:
            threshold = int(tier.group(1)) * 1000
            if reached < threshold < input_tokens:
                price, reached = value, threshold
    return None if price is None else float(price)


@cache
def _price_table() -> Mapping[str, PriceEntry]:
    spec = find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        return {}
    path = Path(spec.submodule_search_locations[0]) / _TABLE
    if not path.is_file():
        return {}
    table: Mapping[str, PriceEntry] = orjson.loads(path.read_bytes())
    return table
