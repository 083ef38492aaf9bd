"""The real console command as a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.process import SECONDS

_RUN = re.compile(r"^run (\S+)$", re.MULTILINE)


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "chidori_actors", *arguments]


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Nothing of the caller's settings; prompts are answered by the test provider unless ``more`` says other."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        "CHIDORI_TEST_LLM_RESPONSE": "a fixed reply",
        **more,
    }


@contextmanager
def running(folder: Path, *arguments: str, **more: str) -> Iterator["subprocess.Popen[str]"]:
    """``chidori ARGUMENTS`` while it runs, stderr and stdout as pipes; it is killed at the end of the block."""
    with subprocess.Popen(
        command_line(*arguments),
        cwd=folder,
        env=environment(folder, **more),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_run_id(process: "subprocess.Popen[str]") -> str:
    """The run's id, as soon as ``process`` prints it."""
    assert process.stderr is not None
    return process.stderr.readline().split()[1]


def read_until(process: "subprocess.Popen[str]", text: str) -> None:
    """Read what ``process`` tells until a line has ``text``."""
    assert process.stderr is not None
    assert any(text in line for line in process.stderr), f"it ended without {text!r}"


def run_program(folder: Path, program: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A program in Python, in ``folder`` and with the settings of a command there."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment(folder, **settings),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def chidori(
    folder: Path, *arguments: str, stdin: str | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``chidori ARGUMENTS`` in ``folder``; ``stdin`` goes through a pipe, None is an empty input."""
    return subprocess.run(
        command_line(*arguments),
        cwd=folder,
        env=environment(folder) if env is None else dict(env),
        input="" if stdin is None else stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def run_id_of(result: subprocess.CompletedProcess[str]) -> str:
    found = _RUN.search(result.stderr)
    assert found is not None, result.stderr
    return found[1]


def assert_refused(result: subprocess.CompletedProcess[str], code: int, *texts: str) -> None:
    """One ``Error: …`` line that says ``texts``, the exit code, no output and no traceback."""
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, result.stderr
    for text in texts:
        assert text in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert result.returncode == code
