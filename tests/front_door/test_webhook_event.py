"""From requests to events, and from outputs to answers."""

import base64
from typing import Any

import orjson
import pytest

from chidori_actors import exact_json
from chidori_actors.front_door.refusal import Refused
from chidori_actors.front_door.webhook_event import (
    BadAnswer,
    agent_input,
    answer_of,
    delivery_key,
    header_fields,
    make_event,
)

JSON = (("Content-Type", "application/json"),)


def event(body: bytes = b"", content_type: str | None = None, query: str = "") -> dict[str, Any]:
    headers = {} if content_type is None else {"content-type": content_type}
    made = make_event("POST", "/hook", query, headers, body)
    assert exact_json.loads(agent_input(made)) == {"event": made}
    return made


def test_an_event_is_the_request() -> None:
    made = make_event("PATCH", "/a/b", "x=1", {"host": "h"}, b"[1]")

    assert made == {
        "method": "PATCH",
        "path": "/a/b",
        "headers": {"host": "h"},
        "query": {"x": "1"},
        "body": [1],
        "raw": "WzFd",
    }


def test_header_names_are_lower_case_and_the_last_of_a_repeated_one_counts() -> None:
    raw = ((b"X-A", b"1"), (b"Host", b"h"), (b"x-a", b"2"), (b"X-Bytes", b"\xff\xc3\xbc"))

    assert header_fields(raw) == {"x-a": "2", "host": "h", "x-bytes": "\ufffdü"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {}),
        ("a=1&b=2&a=3", {"a": "3", "b": "2"}),
        ("a=&b", {"a": "", "b": ""}),
        ("a=x+y%20z%2B&%C3%BC=%26", {"a": "x y z+", "ü": "&"}),
        ("a=%FF%zz", {"a": "\ufffd%zz"}),
        ("a=\udcff", {"a": "\ufffd"}),
        ("a=1;b=2", {"a": "1;b=2"}),
    ],
)
def test_a_query_is_strings_and_the_last_of_a_repeated_key_counts(query: str, expected: dict[str, str]) -> None:
    assert event(query=query)["query"] == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", ""),
        (b'{"a": [1, 2.5, null, true, "\xc3\xbc"]}', {"a": [1, 2.5, None, True, "ü"]}),
        (b' "text" ', "text"),
        (b"12", 12),
        (b"null", None),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"\\ud83d"', "\ufffd"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (b"plain text", "plain text"),
        (b"{", "{"),
        (b" ", " "),
        (b"NaN", "NaN"),
        (b'{"a": Infinity}', '{"a": Infinity}'),
        (b"1e999", "1e999"),
        (b"a=1&b=2", "a=1&b=2"),
        (b"<x>\xff</x>", "<x>\ufffd</x>"),
        (b'"\xff"', '"\ufffd"'),
        (b"5\x00\x00\x00", "5\0\0\0"),
        (b"1\x002\x00", "1\x002\0"),
        (b"[" * 100_000, "[" * 100_000),
    ],
)
@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain", "application/octet-stream"])
def test_a_body_is_json_if_it_parses_and_otherwise_text(content_type: str | None, body: bytes, expected: Any) -> None:
    made = event(body, content_type)

    assert made["body"] == expected
    assert base64.b64decode(made["raw"]) == body


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
        "application/x-www-form-urlencoded ;x",
    ],
)
def test_a_form_is_strings(content_type: str) -> None:
    assert event(b"command=%2Fa&text=x+y&text=z%FF&empty=&bare", content_type)["body"] == {
        "command": "/a",
        "text": "z\ufffd",
        "empty": "",
        "bare": "",
    }
    assert event(b"1", content_type)["body"] == {"1": ""}
    assert event(b"", content_type)["body"] == ""
    assert event(b"a=\xff", content_type)["body"] == {"a": "\ufffd"}


def test_a_form_of_too_many_fields_is_refused() -> None:
    with pytest.raises(Refused, match="more than 10000 fields") as caught:
        event(b"a&" * 10_001, "application/x-www-form-urlencoded")

    assert caught.value.status == 422


def test_a_body_that_is_nested_deeper_than_the_store_can_hold_is_refused() -> None:
    deep = b"[" * 500 + b"]" * 500
    with pytest.raises(Refused, match="cannot be taken") as caught:
        agent_input(make_event("POST", "/", "", {}, deep))

    assert caught.value.status == 422


def test_a_path_that_is_no_text_becomes_text() -> None:
    assert make_event("GET", "/a\udcff", "", {}, b"")["path"] == "/a\ufffd"


# -- deliveries -----------------------------------------------------------------------------------------------------


def test_a_delivery_id_is_the_same_for_the_same_path_alone() -> None:
    github = {"x-github-delivery": "72d3162e"}
    assert delivery_key("/a", github, {"first": 1}) == delivery_key("/a", github | {"x-other": "2"}, "second")

    keys = [
        delivery_key("/a", github, ""),
        delivery_key("/b", github, ""),
        delivery_key("/a", {"x-github-delivery": "72d3162f"}, ""),
        delivery_key("/a", {"idempotency-key": "72d3162e"}, ""),
        delivery_key("/a", {"x-slack-signature": "v0="}, {"event_id": "72d3162e"}),
        delivery_key("/a", {"x-slack-signature": "v0="}, {"trigger_id": "72d3162e"}),
    ]
    assert None not in keys
    assert len(set(keys)) == len(keys)


def test_slack_s_repetition_has_the_key_of_the_first_request() -> None:
    first = {"x-slack-signature": "v0=1", "x-slack-request-timestamp": "1"}
    again = {"x-slack-signature": "v0=2", "x-slack-request-timestamp": "2", "x-slack-retry-num": "1"}

    for body in ({"event_id": "Ev01", "type": "event_callback"}, {"trigger_id": "13345224609.73"}):
        assert delivery_key("/slack", first, body) == delivery_key("/slack", again, body) is not None


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, ""),
        ({}, {"event_id": "Ev01"}),
        ({"x-github-delivery": ""}, ""),
        ({"x-slack-signature": "v0="}, {"event_id": 1, "trigger_id": ""}),
        ({"x-slack-signature": "v0="}, ["event_id"]),
        ({"x-slack-signature": "v0="}, {"type": "url_verification"}),
    ],
)
def test_a_request_without_an_id_is_no_repetition(headers: dict[str, str], body: Any) -> None:
    assert delivery_key("/a", headers, body) is None


def test_no_key_of_the_sessions_api_is_that_of_a_delivery() -> None:
    key = delivery_key("/a", {"idempotency-key": "k"}, "")

    assert key is not None
    assert not key.isprintable()


# -- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", [b"null", b'"text"', b"[1]", b'{"status": 404}', b'{"answer": {"body": 1}}'])
def test_an_output_without_a_body_is_the_answer_as_a_whole(output: bytes) -> None:
    given = answer_of(output)

    assert (given.status, given.headers, given.body) == (200, JSON, output)


@pytest.mark.parametrize("body", [{"a": 1}, "text", None, [1], 0, False])
def test_a_body_is_sent_as_json(body: Any) -> None:
    given = answer_of(orjson.dumps({"status": 418, "body": body}))

    assert (given.status, given.headers, orjson.loads(given.body)) == (418, JSON, body)


@pytest.mark.parametrize("content_type", ["text/plain", "text/html; charset=utf-8", "application/xml", "x/json2"])
def test_a_text_with_a_type_of_its_own_is_sent_as_it_stands(content_type: str) -> None:
    given = answer_of(orjson.dumps({"headers": {"content-type": content_type}, "body": 'ünd "so"'}))

    assert (given.headers, given.body) == ((("content-type", content_type),), 'ünd "so"'.encode())


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", "text"),
        ("Application/JSON; charset=utf-8", "text"),
        ("application/problem+json", "text"),
        ("text/plain", {"a": 1}),
    ],
)
def test_a_json_type_or_a_value_that_is_no_text_is_sent_as_json(content_type: str, body: Any) -> None:
    given = answer_of(orjson.dumps({"headers": {"Content-Type": content_type}, "body": body}))

    assert (given.headers, orjson.loads(given.body)) == ((("Content-Type", content_type),), body)


def test_status_and_headers_may_be_left_out() -> None:
    assert answer_of(b'{"body": 1}') == answer_of(b'{"body": 1, "status": null, "headers": null}')
    assert answer_of(b'{"body": 1}').status == 200


def test_headers_are_the_agent_s_but_for_those_that_frame_the_message() -> None:
    headers = {
        "X-A": "ü",
        "content-TYPE": "application/problem+json",
        "Content-Length": "1000",
        "Transfer-Encoding": "chunked",
        "connection": "close",
        "Keep-Alive": "1",
        "Upgrade": "h2c",
        "TE": "trailers",
        "Trailer": "X",
    }

    given = answer_of(orjson.dumps({"headers": headers, "body": {}}))

    assert given.headers == (("X-A", "ü"), ("content-TYPE", "application/problem+json"))


@pytest.mark.parametrize("status", [204, 205, 304])
def test_a_status_without_a_body_has_none(status: int) -> None:
    given = answer_of(orjson.dumps({"status": status, "headers": {"X-A": "1"}, "body": {"a": 1}}))

    assert (given.status, given.headers, given.body) == (status, (("X-A", "1"),), b"")


@pytest.mark.parametrize("status", ["100", "199", "600", "0", "-1", "1" + "0" * 30, "200.5", "true", '"200"', "[200]"])
def test_what_is_no_status_is_said(status: str) -> None:
    output = b'{"body": 1, "status": %b}' % status.encode()
    with pytest.raises(BadAnswer, match="`status` must be a whole number from 200 to 599, not "):
        answer_of(output)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ([], r"`headers` must be an object of strings, not \[\]"),
        ({"a b": "1"}, 'have "a b", which is not the name'),
        ({"": "1"}, 'have "", which is not the name'),
        ({"X-A": 1}, "header X-A must be a string of one line, not 1"),
        ({"X-A": "1\r\nX-B: 2"}, "header X-A must be a string of one line"),
        ({"X-A\r\nX-B": "2"}, "is not the name of a header"),
        ({"X-A": "\0"}, "header X-A must be a string of one line"),
    ],
)
def test_what_is_no_header_is_said(headers: Any, says: str) -> None:
    with pytest.raises(BadAnswer, match=says):
        answer_of(orjson.dumps({"body": 1, "headers": headers}))
