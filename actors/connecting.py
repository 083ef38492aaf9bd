"""Joining a Ray cluster as a client, with errors that say how to get out."""

import logging
import os
import pkgutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import ray
from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
from ray._private.authentication.authentication_utils import is_token_auth_enabled
from ray._private.services import canonicalize_bootstrap_address
from ray.exceptions import AuthenticationError, RayError

from chidori_actors.errors import ChidoriError, UsageError

from .fatal_signals import termination_kept, traps_kept

_REACHABLE_S = 3.0


def join_cluster(address: str, namespace: str) -> bool:
    """Make this process a client of the Ray cluster at ``address``; False when it is one already.

    ``auto`` is the cluster of ``RAY_ADDRESS``, or else the one that runs on this machine.

    Raises:
        ChidoriError: there is none, or it does not take this process.
    """
    if ray.is_initialized():
        return False
    # Ray's warnings would come between what a command prints.
    logging.getLogger("ray").setLevel(logging.ERROR)
    found = _resolve(address)
    _check_reachable(found)
    try:
        # Ray itself uses the token of this machine only with the address "auto".
        maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
        with traps_kept(), termination_kept():
            _check_admitted(found)
            ray.init(address=found, namespace=namespace, log_to_driver=False, logging_level=logging.ERROR)
    except AuthenticationError as error:
        has = "another" if is_token_auth_enabled() else "none"
        raise ChidoriError(
            f"the cluster at {found} asks for a token, and this machine has {has}", hint=_TOKEN
        ) from error
    except (RayError, ConnectionError, RuntimeError, ValueError) as error:
        raise _refused(found, error) from error
    return True


_TOKEN = (
    "set RAY_AUTH_TOKEN to the cluster's token, or copy the head's ~/.ray/auth_token here; "
    "`ray get-auth-token` prints it there"
)


def _resolve(address: str) -> str:
    """``host:port``; Ray's own search for ``auto`` has no public name."""
    if address.startswith("ray://"):
        raise UsageError(
            f"{address} is an address of the Ray client, which cannot be used here",
            hint="run this on a node of the cluster, with --address auto or the head's HOST:PORT",
        )
    other = os.environ.get("RAY_ADDRESS")
    if address != "auto" and other and other != address:
        raise UsageError(
            f"--address is {address}, but RAY_ADDRESS is {other}, which Ray would use", hint="unset RAY_ADDRESS"
        )
    try:
        found = canonicalize_bootstrap_address("auto") if address == "auto" else address
    except ConnectionError:
        found = None
    if found is None:
        raise ChidoriError(
            "no Ray cluster runs on this machine",
            hint="start one with `ray start --head`, or name its head: --address HOST:PORT",
        )
    return found


def _check_reachable(address: str) -> None:
    """Ray itself would try for two minutes, and end the process then."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"{address!r} is not an address of a cluster", hint="write auto, or HOST:PORT of the head")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACHABLE_S).close()
    except OSError as error:
        raise ChidoriError(
            f"no cluster answers at {address}: {error.strerror or error}",
            hint="`ray status` on the head shows whether it runs; its port is 6379 unless `ray start` was told another",
        ) from error


def _check_admitted(address: str) -> None:
    """Joining with a wrong token, Ray would try for 20 s, and write a line of its log each second.

    Raises:
        AuthenticationError: the cluster wants another token.
    """
    with _stderr_muted():
        pkgutil.resolve_name("ray._raylet:GcsClient")(address=address)  # which Ray has no types for


@contextmanager
def _stderr_muted() -> Iterator[None]:
    """What Ray's C++ part logs before it has joined can be turned off in no other way. For moments only."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _refused(address: str, error: Exception) -> ChidoriError:
    text = str(error)
    if text.startswith("Version mismatch:"):
        versions = " ".join(text.split()[2:])
        return ChidoriError(
            f"the cluster at {address} has another Ray or Python than this process: {versions}",
            hint="use the same versions on every machine",
        )
    if isinstance(error, ConnectionError):
        return ChidoriError(f"the cluster at {address} does not take this process, or it is not Ray's", hint=_TOKEN)
    return ChidoriError(
        f"cannot join the cluster at {address}: {text.splitlines()[0] if text else type(error).__name__}",
        hint="run this on a node of the cluster: on any other machine, `ray start --address` makes it one",
    )
