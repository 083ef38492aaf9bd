"""Processor time of the processes below this one, by what they are: Ray starts a dozen kinds of them."""

import os
from pathlib import Path

_ROLES = {"JournalShard": "journal", "Supervisor": "supervisor", "Host": "hosts"}
"""By the name of the actor's class, which is in the title of its process."""


def cpu_by_role(top: int | None = None) -> dict[str, float]:
    """Processor seconds so far of each process below ``top`` (this one): hosts, journal, supervisor, Ray (rest)."""
    seconds: dict[str, float] = {}
    for process in _below(os.getpid() if top is None else top):
        try:
            name = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
            used = sum(_nanoseconds(task) for task in Path(f"/proc/{process}/task").iterdir()) / 1e9
        except OSError:  # it ended meanwhile
            continue
        named = (role for part, role in _ROLES.items() if name.startswith("ray::") and part in name)
        role = next(named, "Ray")
        seconds[role] = seconds.get(role, 0.0) + used
    return seconds


def _nanoseconds(task: Path) -> int:
    try:
        return int((task / "schedstat").read_text().split()[0])
    except OSError:  # a thread that ended meanwhile
        return 0


def _below(process: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(folder.name))
    found: list[int] = []
    left = list(children.get(process, ()))
    while left:
        found.append(left.pop())
        left += children.get(found[-1], ())
    return found
