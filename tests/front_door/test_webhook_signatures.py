"""Signatures of GitHub and Slack, against the examples that their own documentation gives."""

import pytest

from chidori_actors.front_door.refusal import Refused
from chidori_actors.front_door.signatures import github_signature, slack_signature, verify
from chidori_actors.front_door.webhook_config import Webhook

GITHUB = Webhook("github", "It's a Secret to Everybody")
GITHUB_BODY = b"Hello, World!"
GITHUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

SLACK = Webhook("slack", "8f742231b10e8888abcd99yyyzzz85a5")
SLACK_TIME = 1531420618
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SLACK_SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
SLACK_HEADERS = {"x-slack-signature": SLACK_SIGNATURE, "x-slack-request-timestamp": str(SLACK_TIME)}


def refusal(webhook: Webhook, headers: dict[str, str], body: bytes, now: float = 0) -> str:
    with pytest.raises(Refused) as caught:
        verify(webhook, headers, body, now)
    assert caught.value.status == 401
    assert webhook.secret not in str(caught.value)
    return str(caught.value)


def test_signatures_are_those_of_the_services_documentation() -> None:
    assert github_signature(GITHUB.secret, GITHUB_BODY) == GITHUB_SIGNATURE
    assert slack_signature(SLACK.secret, str(SLACK_TIME), SLACK_BODY) == SLACK_SIGNATURE


def test_github_s_signature_lets_its_body_in_and_no_other() -> None:
    headers = {"x-hub-signature-256": GITHUB_SIGNATURE}
    verify(GITHUB, headers, GITHUB_BODY, 0)

    assert "does not match" in refusal(GITHUB, headers, b"Hello, World?")
    assert "does not match" in refusal(Webhook("github", "a-third-key"), headers, GITHUB_BODY)
    assert "does not match" in refusal(GITHUB, headers, b"")


@pytest.mark.parametrize(
    "given",
    [
        "",
        GITHUB_SIGNATURE.removeprefix("sha256="),
        GITHUB_SIGNATURE.replace("sha256", "sha1"),
        GITHUB_SIGNATURE.upper(),
        GITHUB_SIGNATURE[:-1],
        GITHUB_SIGNATURE + "0",
        "sha256=ü",
    ],
)
def test_anything_else_is_no_signature_of_github(given: str) -> None:
    assert "does not match" in refusal(GITHUB, {"x-hub-signature-256": given}, GITHUB_BODY)


def test_a_request_without_a_signature_is_refused() -> None:
    assert refusal(GITHUB, {}, GITHUB_BODY) == "X-Hub-Signature-256 is missing"
    # The older header is made with SHA-1, and not enough.
    assert "is missing" in refusal(GITHUB, {"x-hub-signature": GITHUB_SIGNATURE}, GITHUB_BODY)
    assert refusal(SLACK, {}, SLACK_BODY) == "X-Slack-Signature is missing"
    only_signature = {"x-slack-signature": SLACK_SIGNATURE}
    assert refusal(SLACK, only_signature, SLACK_BODY, SLACK_TIME) == "X-Slack-Request-Timestamp is missing"


@pytest.mark.parametrize("away", [0, 300, -300, 0.5])
def test_slack_s_signature_holds_for_five_minutes(away: float) -> None:
    verify(SLACK, SLACK_HEADERS, SLACK_BODY, SLACK_TIME + away)


@pytest.mark.parametrize("away", [301, -301, 10**9])
def test_slack_s_signature_is_stale_then_in_either_direction(away: float) -> None:
    assert "more than 5 minutes away" in refusal(SLACK, SLACK_HEADERS, SLACK_BODY, SLACK_TIME + away)


def test_slack_s_timestamp_is_part_of_what_is_signed() -> None:
    later = SLACK_HEADERS | {"x-slack-request-timestamp": str(SLACK_TIME + 1)}

    assert "does not match" in refusal(SLACK, later, SLACK_BODY, SLACK_TIME)
    assert "does not match" in refusal(SLACK, SLACK_HEADERS, SLACK_BODY + b"&text=x", SLACK_TIME)


@pytest.mark.parametrize("given", ["", "now", "-1", "1531420618.0", "1e9", "١٢٣", "9" * 5000])
def test_what_is_no_timestamp_is_refused_even_when_it_is_signed(given: str) -> None:
    headers = {
        "x-slack-signature": slack_signature(SLACK.secret, given, SLACK_BODY),
        "x-slack-request-timestamp": given,
    }

    assert "must be whole seconds" in refusal(SLACK, headers, SLACK_BODY, SLACK_TIME)


def test_open_and_bearer_paths_have_no_signature() -> None:
    verify(Webhook("open"), {}, b"", 0)
    verify(Webhook("bearer", "key"), {}, b"", 0)
