"""A machine for commands that end every Ray process they see: one of its own, made of namespaces."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = "/tmp/home"
_UNSHARE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--net", "--mount")
_NEEDED = ("unshare", "nsenter", "ip", "mount", "ssh", "ssh-keygen", "rsync", "pgrep")


@dataclass(frozen=True, slots=True)
class Machine:
    """A running machine, by the process id of its first process."""

    pid: int

    def run(self, command: str, limit_s: float, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Runs a shell command there, in the checkout; standard output and errors come together, as text.

        Raises ``subprocess.TimeoutExpired`` after ``limit_s`` seconds.
        """
        enter = ("nsenter", "--target", str(self.pid), "--pid", "--mount", "--net", f"--wd={ROOT}")
        path = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return subprocess.run(
            [*enter, "timeout", "--kill-after=2", str(limit_s), "bash", "-c", command],
            env={"HOME": HOME, "PATH": path, "TERM": "dumb", "USER": "root"},
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit_s + 10,
            check=False,
        )

    def processes(self) -> list[str]:
        """The command lines of what runs there, without this question."""
        listing = self.run("for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline && echo; done 2>/dev/null", 10)
        return [line.strip() for line in listing.stdout.splitlines() if line.strip()]


def missing() -> str | None:
    """Why no machine can be made here; None when one can."""
    names = [name for name in _NEEDED if shutil.which(name) is None]
    if shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        names.append("sshd")
    if names:
        return f"missing: {', '.join(names)} (of OpenSSH, rsync, iproute2, util-linux, procps)"
    if os.geteuid() != 0:
        return "an SSH server in a namespace of its own needs root"
    tried = subprocess.run([*_UNSHARE, "true"], capture_output=True, text=True, timeout=10, check=False)
    return f"namespaces are not permitted here: {tried.stderr.strip()}" if tried.returncode != 0 else None


def connect(one: Machine, other: Machine) -> tuple[str, str]:
    """Puts a cable between two machines and lets the first log in to the second; their addresses."""
    addresses = ("10.77.0.1", "10.77.0.2")
    cable = ("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(other.pid))
    subprocess.run(["nsenter", "--target", str(one.pid), "--net", *cable], check=True, timeout=10)
    for made, address, gateway in zip((one, other), addresses, reversed(addresses), strict=True):
        # A route to everywhere, because Ray takes the address of the way out for the node's own.
        commands = f"ip addr add {address}/24 dev eth0 && ip link set eth0 up && ip route add default via {gateway}"
        assert made.run(commands, 10).returncode == 0
    key = one.run("cat ~/.ssh/id_ed25519.pub", 5).stdout
    assert other.run("cat > ~/.ssh/id_ed25519.pub", 5, stdin=key).returncode == 0
    return addresses


@contextmanager
def machine() -> Iterator[Machine]:
    """A machine of its own; everything that runs there ends with the block."""
    script = str(Path(__file__).with_name("machine.sh"))
    with subprocess.Popen([*_UNSHARE, "bash", script, str(ROOT), HOME], stdout=subprocess.PIPE, text=True) as unshare:
        assert unshare.stdout is not None
        try:
            assert unshare.stdout.readline() == "ready\n", "the machine did not start; its errors are above"
            (first,) = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text().split()
            yield Machine(int(first))
        finally:
            unshare.kill()
