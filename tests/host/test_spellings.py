"""Values are found in whatever notation a server gives them back."""

import html
import json
from urllib.parse import quote

import pytest

from chidori_actors.host.secrets import Secrets
from tests.support.secrets import leaks_in, notations

VALUES = (
    "sk-0123456789abcdef",
    "tok/en+s3cr3t=Value&more~0123",
    'quo"ted\\w\u00f6rd <s3cr3t> \U0001f600 / end',
    "\\\\server\\share\\'x'",
    "line one\nline\ttwo\r\nline three",
    "  padded-value\n",
    "//////",
)


def knowing(value: str) -> Secrets:
    secrets = Secrets({"TOKEN": value}, "seed", lambda name: None)
    secrets.know("TOKEN")
    return secrets


@pytest.mark.parametrize("value", VALUES)
def test_every_notation_is_redacted(value: str) -> None:
    secrets = knowing(value)
    texts = [found.decode() for name, found in notations(value).items() if not name.startswith("UTF-16")]
    # Escapes of a page, a URL within a URL, and slashes as PHP writes them.
    texts += [html.escape(value), quote(quote(value, safe=""), safe=""), json.dumps(value).replace("/", "\\/")[1:-1]]
    for text in texts:
        clean = secrets.redact(f"<{text}>")
        assert secrets.placeholder("TOKEN") in clean, text
        assert leaks_in(clean, value.strip()) == []


def test_what_is_not_the_value_stays_as_it_is() -> None:
    text = "sk-0123456789abcde SK-0123456789ABCDEF 0123456789abcdef \\u0041 %41 \\\\"
    assert knowing(VALUES[0]).redact(text) == text


def test_json_stays_json() -> None:
    secrets = knowing("12345678")
    given = {"a12345678": [12345678, 123456789, 12345678.0, 12345678.5, True, None, "x 12345678"]}
    shown = secrets.placeholder("TOKEN")
    expected = {f"a{shown}": [shown, 123456789, 12345678.0, 12345678.5, True, None, f"x {shown}"]}
    assert secrets.redact_json(given) == expected


@pytest.mark.parametrize("hostile", ["\\" * 300_000, '"' * 300_000, "%25" * 100_000, "&#0" * 100_000, '\\"' * 150_000])
def test_no_text_makes_the_search_slow(hostile: str) -> None:
    # With an unbounded number of escapes this would take hours.
    secrets = knowing('\\"' * 40)
    assert secrets.redact(hostile[:-40] + "!") != ""


def test_a_variable_that_is_not_set_is_not_searched_for() -> None:
    secrets = Secrets({}, "seed", lambda name: None)
    secrets.know("TOKEN")
    assert secrets.redact("anything at all") == "anything at all"
