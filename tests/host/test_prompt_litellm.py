"""How litellm is loaded and left, each time in a fresh interpreter, and how its errors are read."""

import asyncio
from datetime import UTC, datetime

import pytest

from chidori_actors.host.litellm_errors import retry_after_seconds
from tests.support.openai_server import OpenAIServer
from tests.support.process import run_python

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

LOADING = """
import asyncio, sys, threading
from chidori_actors.host.litellm_library import LitellmLibrary

async def main():
    library = LitellmLibrary()
    assert "litellm" not in sys.modules
    library.start()
    library.start()
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("litellm import") == 1, names
    impatient = asyncio.create_task(library.module())
    patient = asyncio.create_task(library.module())
    await asyncio.sleep(0)
    impatient.cancel()
    turns = 0
    while not patient.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 5, turns
    assert (await patient).__name__ == "litellm"
    await library.aclose()

asyncio.run(main())
"""

WHOLE_LIFE = """
import asyncio, gc, os, socket, sys
from tests.host.test_prompt import RecordedEvents, Resources, call_of, run_prompt, services_with

def on_event(event, args):
    if event == "socket.connect" and args[1][0] != "127.0.0.1" and args[0].family != socket.AF_UNIX:
        sys.stderr.write(f"connects to {args[1]}")
    if event == "socket.getaddrinfo" and args[0] not in ("127.0.0.1", None):
        sys.stderr.write(f"looks up {args[0]}")

sys.addaudithook(on_event)

async def one_life():
    resources = Resources()
    environ = {"LITELLM_API_URL": sys.argv[1], "LITELLM_API_KEY": "sk-0123456789"}
    services = services_with(environ, RecordedEvents(), resources)
    await asyncio.gather(*(run_prompt(call_of(f"prompt {n}"), services) for n in range(5)))
    held = asyncio.create_task(run_prompt(call_of("[delay=60000] held"), services))
    await asyncio.wait([held], timeout=0.2)
    held.cancel()
    await asyncio.wait([held])
    await resources.aclose()

asyncio.run(one_life())
asyncio.run(one_life())
gc.collect()
"""


WARNINGS = ("-W", "default", "-W", "ignore::DeprecationWarning")


def test_litellm_is_imported_in_its_thread_while_the_loop_runs() -> None:
    done = run_python(LOADING, options=WARNINGS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


async def test_a_runtime_leaves_no_noise_no_open_session_and_contacts_nobody_else() -> None:
    async with OpenAIServer() as server:
        done = await asyncio.to_thread(run_python, WHOLE_LIFE, server.url, options=WARNINGS)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert server.stats()["prompts"]["prompt 0"] == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("2.5", 2.5),
        ("3600", 60),
        ("Fri, 02 Jan 2026 03:04:15 GMT", 10),
        ("Fri, 02 Jan 2026 04:04:15 GMT", 60),
        ("Thu, 01 Jan 2026 00:00:00 GMT", 0),
        ("soon", None),
        ("-3", None),
        ("nan", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds
