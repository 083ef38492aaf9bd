"""Why no response came, in words: the HTTP library's own texts name its classes and repeat bytes of the server's."""

import os
import re
import socket
import ssl

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

_BYTES = re.compile(r"\n\n|:? (?:when reading|b'|b\"|bytearray)")

TRANSPORT_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError)
"""What the HTTP library raises when no complete response came."""


def described(error: BaseException) -> str:
    """One line that says what happened, for the agent."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"the TLS certificate of {error.host}:{error.port} is not trusted: {_cause(error.certificate_error)}"
        case aiohttp.ClientConnectorSSLError():
            return f"TLS with {error.host}:{error.port} failed: {_cause(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return f"cannot connect to {error.host}:{error.port}: {_cause(error.os_error)}"
        case aiohttp.ServerDisconnectedError():
            return "the server closed the connection before it had answered"
        case aiohttp.ClientPayloadError():
            return f"the body is broken or ended early{_because(error.__cause__)}"
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return f"the response is not valid HTTP{_because(error.__cause__ or error)}"
        case OSError():
            return f"the connection failed: {_cause(error)}"
    return "the request failed"


def _cause(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or "unknown reason").replace("_", " ").lower()
    if isinstance(error, socket.gaierror):
        return error.strerror or "the name cannot be resolved"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return "the connection was lost"


def _because(error: BaseException | None) -> str:
    message = error.message if isinstance(error, HttpProcessingError | aiohttp.ClientResponseError) else ""
    # What follows are bytes of the response, shown as Python would write them.
    words = " ".join(_BYTES.split(message)[0].split()).rstrip(".:")
    return f": {words}" if words else ""
