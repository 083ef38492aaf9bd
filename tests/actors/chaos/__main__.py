"""One scenario on a cluster of several nodes, in a process of its own.

Run as ``RAY_AUTH_MODE=disabled python -m tests.actors.chaos SCENARIO FOLDER [--count N]``; prints figures as JSON.
"""

import argparse
import asyncio
import faulthandler
import sys
from pathlib import Path

import orjson

from actors.cluster import NAMESPACE

from .nodes import Nodes, nodes
from .programs import PROGRAMS, Program
from .stage import staged

_LIMIT_S = 280.0


async def _perform(program: Program, made: Nodes, folder: Path, count: int) -> dict[str, object]:
    async with staged(
        folder, made.address, NAMESPACE, nodes=made, count=count, source=program.source, **dict(program.options)
    ) as stage:
        return await program.perform(stage)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", choices=sorted(PROGRAMS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int)
    given = parser.parse_args()
    program = PROGRAMS[given.scenario]
    faulthandler.dump_traceback_later(_LIMIT_S, exit=True)
    with nodes(program.nodes) as made:
        try:
            figures = asyncio.run(_perform(program, made, given.folder, given.count or program.count))
        except BaseException:
            print(made.last_words(), file=sys.stderr)
            raise
    print(orjson.dumps({"scenario": given.scenario, **figures}).decode())


if __name__ == "__main__":
    main()
