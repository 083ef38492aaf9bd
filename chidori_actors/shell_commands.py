"""Commands for people to copy into a shell."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from .journal.runs import RunMeta
from .settings import Settings


def shell_command(*arguments: str, address: str | None = None) -> str:
    """``chidori ARGUMENTS``, for the cluster at ``address`` when there is one; ready for a shell."""
    return shlex.join(["chidori", *arguments, *(() if address is None else ("--address", address))])


@dataclass(frozen=True, slots=True)
class ShellCommands:
    """Commands that find the store of ``settings`` from anywhere, unless it is the one that they find by themselves."""

    settings: Settings

    def __call__(self, *arguments: str) -> str:
        """``chidori ARGUMENTS``."""
        address = self.settings.ray_address
        command = shell_command(*arguments, address=address)
        if address is not None or self.settings.store == Settings().store:
            return command
        return f"CHIDORI_DB_PATH={shlex.quote(str(self.settings.store.absolute()))} {command}"

    def of_run(self, meta: RunMeta) -> Iterator[tuple[str, str]]:
        """What can be done with a run: what it is for, and the command."""
        yield "Show its calls", self("trace", meta.id)
        yield "Replay it", self("replay", meta.id)
        yield "Verify it", self("verify", meta.id)
        yield from self._continuing(meta)
        yield "Branch off, with another result", self("branch", meta.id, "--at", "SEQ", "--result", '"TEXT"')
        yield "Export it as a checkpoint file", self("export", meta.id, "-o", f"{meta.id}.json")

    def _continuing(self, meta: RunMeta) -> Iterator[tuple[str, str]]:
        for question in meta.pending:
            seq = question["seq"]
            if question["kind"] == "input":
                yield f"Answer #{seq}", self("resume", meta.agent, meta.id, "--answer", f"{seq}=TEXT")
            else:
                yield f"Approve #{seq}", self("resume", meta.agent, meta.id, "--approve", str(seq))
                yield f"Deny #{seq}", self("resume", meta.agent, meta.id, "--deny", str(seq))
        if not meta.pending and meta.status in ("running", "failed"):
            yield "Let it go on", self("resume", meta.agent, meta.id)
