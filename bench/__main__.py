"""``python -m bench`` lists what is measured; ``python -m bench SUITE [--json FILE]`` measures it."""

import argparse
import sys
from pathlib import Path

import orjson

from . import core, forks, front_door, sandbox, starlark
from .measure import machine, report, table

SUITES = {"core": core, "forks": forks, "front_door": front_door, "sandbox": sandbox, "starlark": starlark}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("suite", nargs="?", choices=sorted(SUITES))
    parser.add_argument("--json", type=Path, help="write the figures there too, with every single run")
    options = parser.parse_args()
    if options.suite is None:
        for name, suite in SUITES.items():
            print(f"{name}: {(suite.__doc__ or '').splitlines()[0]}")
        return 0
    facts = machine()
    print(", ".join(f"{name} {value}" for name, value in facts.items()), file=sys.stderr)
    figures = SUITES[options.suite].measure()
    print(table(figures))
    if options.json is not None:
        options.json.write_bytes(orjson.dumps(report(figures) | {"machine": facts}, option=orjson.OPT_INDENT_2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
