"""Other processes that a test runs to their end."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SECONDS = 120
"""Generous: the machine may be busy."""


async def finished(
    *command: str, cwd: Path, env: Mapping[str, str], stdin: bytes = b"", seconds: float = SECONDS
) -> tuple[int, bytes, str]:
    """Exit code, stdout and stderr of ``command``; the process is gone afterwards, however this ends."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env=dict(env),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            stdout, stderr = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, stdout, stderr.decode()


def run_python(program: str, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run ``program`` in a fresh interpreter, which gets ``options``."""
    command = [sys.executable, *options, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
