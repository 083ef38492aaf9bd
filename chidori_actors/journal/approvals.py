"""What a person decided about a target and its args, for one run."""

import hashlib
from typing import Literal

from .store import Store, Write

Decision = Literal["allow", "deny"]


def _key(run_id: str, target: str, args_sha: str) -> bytes:
    # A target may be longer than a key; the parts are separated so that no two differ only in where one ends.
    digest = hashlib.sha256(f"{target}\n{args_sha}".encode()).digest()
    return run_id.encode() + b"\x00" + digest


def approval_write(run_id: str, target: str, args_sha: str, decision: Decision) -> Write:
    """The write that records ``decision``; ``args_sha`` is the hash of the args' canonical text."""
    return Write("approvals", _key(run_id, target, args_sha), decision.encode())


def get_approval(store: Store, run_id: str, target: str, args_sha: str) -> Decision | None:
    """What was decided, or None when nobody has. Anything but a clear "allow" denies."""
    stored = store.get("approvals", _key(run_id, target, args_sha))
    if stored is None:
        return None
    return "allow" if stored == b"allow" else "deny"
