"""Signatures of the services that send events: of GitHub and of Slack (wire contract, section 3)."""

import hashlib
import hmac
from collections.abc import Mapping

from .refusal import Refused
from .webhook_config import Webhook

_STALE_SECONDS = 300
"""How far a Slack request's time may be from ours: a request that was overheard is of no use later."""


def verify(webhook: Webhook, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Check that a request has the signature that the path's kind asks for; ``bearer`` and ``open`` have none.

    Args:
        headers: By lower-case names.
        body: The bytes as they were sent.
        now: Seconds since 1970.

    Raises:
        Refused: 401, the signature is missing, wrong or stale.
    """
    if webhook.kind == "github":
        _verify_github(webhook.secret, headers, body)
    elif webhook.kind == "slack":
        _verify_slack(webhook.secret, headers, body, now)


def github_signature(secret: str, body: bytes) -> str:
    """What GitHub sends as ``X-Hub-Signature-256``."""
    return f"sha256={_hmac_sha256(secret, body)}"


def slack_signature(secret: str, timestamp: str, body: bytes) -> str:
    """What Slack sends as ``X-Slack-Signature``; ``timestamp`` is its ``X-Slack-Request-Timestamp``."""
    return f"v0={_hmac_sha256(secret, b'v0:%b:%b' % (timestamp.encode(), body))}"


def _verify_github(secret: str, headers: Mapping[str, str], body: bytes) -> None:
    given = _header(headers, "X-Hub-Signature-256")
    if not _same(given, github_signature(secret, body)):
        raise Refused(401, "X-Hub-Signature-256 does not match: another secret, or the body was changed on its way")


def _verify_slack(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> None:
    given, timestamp = _header(headers, "X-Slack-Signature"), _header(headers, "X-Slack-Request-Timestamp")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 15):
        raise Refused(401, "X-Slack-Request-Timestamp must be whole seconds since 1970")
    if not _same(given, slack_signature(secret, timestamp, body)):
        raise Refused(401, "X-Slack-Signature does not match: another secret, or the body was changed on its way")
    if abs(now - int(timestamp)) > _STALE_SECONDS:
        raise Refused(401, "X-Slack-Request-Timestamp is more than 5 minutes away from this server's clock")


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name.lower())
    if value is None:
        raise Refused(401, f"{name} is missing")
    return value


def _hmac_sha256(secret: str, message: bytes) -> str:
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def _same(given: str, expected: str) -> bool:
    """In constant time; as bytes, because text must be ASCII for that."""
    return hmac.compare_digest(given.encode(), expected.encode())
