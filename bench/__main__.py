"""``python -m bench`` lists what is measured; ``python -m bench SUITE [--json FILE]`` measures it."""

import argparse
import sys
from pathlib import Path

import orjson

from . import console, core, forks, front_door, sandbox, scale, starlark, throughput
from .measure import machine, report, table

SUITES = {
    "console": console,
    "core": core,
    "forks": forks,
    "front_door": front_door,
    "sandbox": sandbox,
    "starlark": starlark,
}
WITH_OPTIONS = {"scale": scale, "throughput": throughput}


def main(arguments: list[str] | None = None) -> int:
    """Measure what the command line names; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    suites = parser.add_subparsers(dest="suite", metavar="SUITE")
    for name, suite in sorted((SUITES | WITH_OPTIONS).items()):
        chosen = suites.add_parser(name, help=_first_line(suite.__doc__), description=suite.__doc__)
        chosen.add_argument("--json", type=Path, help="write the figures there too, with every single run")
        if name in WITH_OPTIONS:
            WITH_OPTIONS[name].add_arguments(chosen)
    options = parser.parse_args(arguments)
    if options.suite is None:
        for name, suite in (SUITES | WITH_OPTIONS).items():
            print(f"{name}: {_first_line(suite.__doc__)}")
        return 0
    if options.suite in WITH_OPTIONS:
        status: int = WITH_OPTIONS[options.suite].execute(options)
        return status
    return _measure(options.suite, options.json)


def _first_line(text: str | None) -> str:
    return (text or "").splitlines()[0]


def _measure(suite: str, json: Path | None) -> int:
    facts = machine()
    print(", ".join(f"{name} {value}" for name, value in facts.items()), file=sys.stderr)
    figures = SUITES[suite].measure()
    print(table(figures))
    if json is not None:
        json.write_bytes(orjson.dumps(report(figures) | {"machine": facts}, option=orjson.OPT_INDENT_2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
