"""Requests from outside: an event or a refusal, whatever they are; an answer or a reason, whatever an agent says."""

import contextlib
from typing import Any
from urllib.parse import urlencode

import orjson
from hypothesis import strategies as st

from chidori_actors.front_door.refusal import Refused
from chidori_actors.front_door.signatures import github_signature, slack_signature, verify
from chidori_actors.front_door.webhook_config import Kind, Webhook
from chidori_actors.front_door.webhook_event import (
    BadAnswer,
    agent_input,
    answer_of,
    delivery_key,
    header_fields,
    make_event,
)
from chidori_actors.journal.json_text import parse_json

from .mangling import corpus, examples, fuzz, mangled, mangled_bytes, refusal_of

PAYLOADS: tuple[Any, ...] = (
    {"action": "opened", "issue": {"number": 7, "title": "Grüße 🐦", "labels": [{"name": "bug"}, {"name": "ui"}]}},
    {"event_id": "Ev1", "trigger_id": "13.2", "event": {"type": "message", "text": "hi"}},
    [1, 2.5, None, "x", {"nested": {"a": []}}],
)
FORM = urlencode({"command": "/deploy", "text": "a b&c=d", "user": "ä"}).encode()
HEADERS = ((b"Content-Type", b"application/json; charset=utf-8"), (b"X-GitHub-Delivery", b"72d3162e"), (b"X-A", b"1"))
OUTPUTS: tuple[Any, ...] = (
    {"status": 201, "headers": {"Content-Type": "text/plain", "X-A": "1"}, "body": "made"},
    {"status": 200, "headers": {}, "body": {"ok": True, "items": [1, 2]}},
    {"headers": {"Content-Type": "application/problem+json"}, "body": "text"},
    {"said": "nothing of an answer"},
)

_SIGNED: tuple[Kind, ...] = ("github", "slack")
_headers = st.lists(
    st.tuples(mangled_bytes([name for name, _ in HEADERS]), mangled_bytes([value for _, value in HEADERS]))
    | st.sampled_from(HEADERS)
    | st.sampled_from([(b"content-type", b"application/x-www-form-urlencoded"), (b"x-slack-signature", b"v0=")]),
    max_size=4,
)


@examples
def test_every_request_is_an_event_or_refused(examples: int) -> None:
    path = mangled_bytes([b"/hooks/github", b"/a%20b/"]).map(lambda data: data.decode("utf-8", "surrogateescape"))
    query = mangled_bytes([b"a=1&b=%C3%A4&a=3", FORM]).map(lambda data: data.decode("latin-1"))
    fuzz(examples, st.tuples(path, query, _headers, mangled(PAYLOADS) | mangled_bytes([FORM])), check_event)


def check_event(given: tuple[str, str, list[tuple[bytes, bytes]], bytes]) -> None:
    path, query, raw, body = given
    headers = header_fields(raw)
    refusal = refusal_of(Refused, lambda: agent_input(make_event("POST", path, query, headers, body)))
    if refusal is not None:
        assert refusal.status == 422
        return
    event = make_event("POST", path, query, headers, body)
    text = agent_input(event)
    delivery_key(path, headers, event["body"])
    # What is stored is what the agent gets, and can be read again.
    assert parse_json(text) == {"event": event}
    assert text.decode()


@examples
def test_every_output_is_an_answer_or_a_reason(examples: int) -> None:
    fuzz(examples, mangled(OUTPUTS), check_answer)


def check_answer(output: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_json(output)
        with contextlib.suppress(BadAnswer):
            answer = answer_of(output)
            assert 200 <= answer.status <= 599
            for name, value in answer.headers:
                assert name.isascii()
                assert not {"\r", "\n", "\0"} & {*name, *value}


def test_outputs_that_once_had_no_answer() -> None:
    for output in corpus("answers"):
        check_answer(output)


@examples
def test_no_signature_but_the_right_one_is_taken(examples: int) -> None:
    body = orjson.dumps(PAYLOADS[0])
    given = st.tuples(
        st.sampled_from(_SIGNED),
        mangled_bytes([body]) | st.just(body),
        mangled_bytes([github_signature("secret", body).encode(), slack_signature("secret", "1000", body).encode()]),
        mangled_bytes([b"1000"]) | st.just(b"1000"),
    )
    fuzz(examples, given, check_signature)


def check_signature(given: tuple[Kind, bytes, bytes, bytes]) -> None:
    kind, body, signature, timestamp = given
    sent = [
        (b"X-Hub-Signature-256", signature),
        (b"X-Slack-Signature", signature),
        (b"X-Slack-Request-Timestamp", timestamp),
    ]
    refusal = refusal_of(Refused, lambda: verify(Webhook(kind, "secret"), header_fields(sent), body, 1000.0))
    if refusal is not None:
        assert refusal.status == 401
        return
    text = signature.decode()
    right = (
        github_signature("secret", body) if kind == "github" else slack_signature("secret", timestamp.decode(), body)
    )
    assert text == right
