"""What a cluster of N nodes would do, predicted and simulated from the measured costs of its parts; docs/scale.md."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from .measure import machine
from .number_arguments import milliseconds, positive, positives
from .scale_model import Cluster, Load, Parts, Prediction, burst_seconds, predict
from .scale_simulation import Simulated, simulate
from .svg_plot import Series, line_chart

PARTS = Path(__file__).parent / "scale_parts.json"
_NODES = (1, 2, 4, 8, 16, 32, 64, 100)
_SHARDS = (1, 4, 16)


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster, and what comes out for it."""

    cluster: Cluster
    predicted: Prediction
    simulated: Simulated


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this suite."""
    parser.add_argument("--parts", type=Path, default=PARTS, help="the measured costs (default: those of the checkout)")
    parser.add_argument("--measure", action="store_true", help="measure the parts here first, and write them there")
    parser.add_argument("--ray", action="store_true", help="with --measure: messages between processes too")
    parser.add_argument("--nodes", type=positives, default=_NODES, help="how many, with commas between")
    parser.add_argument("--shards", type=positives, default=_SHARDS, help="of the journal, with commas between")
    parser.add_argument("--cores", type=positive, default=2, help="of a node (default 2)")
    parser.add_argument("--branches", type=positive, default=0, help="of each session (default none)")
    parser.add_argument("--calls", type=positive, default=10, help="of each session or branch (default 10)")
    parser.add_argument("--latency-ms", type=milliseconds, default=50.0, help="what a call takes (default 50)")
    parser.add_argument("--sessions-per-host", type=positive, default=128, help="under way (default 128)")
    parser.add_argument("--plot", type=Path, help="draw sessions/s over nodes there, as SVG")


def execute(options: argparse.Namespace) -> int:
    """Measure if asked to, predict, simulate, print the tables, write the files."""
    if options.measure:
        _measure(options.parts, options.ray)
    try:
        measured = orjson.loads(options.parts.read_bytes())
        parts = Parts.from_json(measured["parts"])
    except (OSError, ValueError, KeyError, TypeError) as mistake:
        print(f"Error: {options.parts} has no measured parts ({mistake}); add --measure", file=sys.stderr)
        return 2
    print(", ".join(f"{name} {value}" for name, value in measured["machine"].items()), file=sys.stderr)
    load = Load(options.branches, options.calls, options.latency_ms)
    print(parts_table(parts))
    print("\n" + process_table(parts, load))
    if parts.messaging is None:
        print("\nMessages between processes were not measured: add --measure --ray for a cluster.")
        return 0
    clusters = [
        Cluster(nodes, options.cores, shards)
        for shards in options.shards
        for nodes in options.nodes
        if nodes * options.cores > shards
    ]
    places = [place(parts, load, cluster, options.sessions_per_host) for cluster in clusters]
    print("\n" + places_table(places))
    if options.json is not None:
        document = {"measured": measured, "load": asdict(load), "places": [_as_json(one) for one in places]}
        options.json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    if options.plot is not None:
        options.plot.write_text(plot(places, load))
    return 0


def _measure(file: Path, with_messages: bool) -> None:
    from . import scale_parts  # runs agents, which a prediction from the file does not need

    document: dict[str, Any] = {"machine": machine()}
    parts = scale_parts.measure()
    if with_messages:
        from .scale_messaging import measure as measure_messages  # Ray is an extra, and takes a second to import

        parts = replace(parts, messaging=measure_messages(*scale_parts.journal()))
    file.write_bytes(orjson.dumps(document | {"parts": asdict(parts)}, option=orjson.OPT_INDENT_2) + b"\n")


def place(parts: Parts, load: Load, cluster: Cluster, sessions_per_host: int) -> Place:
    """That cluster, predicted and simulated.

    Raises:
        ValueError: see ``predict``.
    """
    return Place(
        cluster,
        predict(parts, load, cluster, sessions_per_host=sessions_per_host),
        simulate(parts, load, cluster, sessions_per_host=sessions_per_host),
    )


def parts_table(parts: Parts) -> str:
    """The measured costs, as Markdown."""
    lines = ["| part | host, us | of that JavaScript, us | submissions | bytes |", "|---|---|---|---|---|"]
    for name, cost in (("a session", parts.session), ("a branch", parts.branch), ("a call", parts.call)):
        lines.append(
            f"| {name} | {cost.host_us:,.0f} | {cost.javascript_us:,.0f} | {cost.submissions:.2g} | {cost.bytes:,.0f} |"
        )
    lines += ["", "| journal and messages | us |", "|---|---|"]
    figures = {**asdict(parts.journal), **(asdict(parts.messaging) if parts.messaging else {})}
    return "\n".join([*lines, *(f"| {name} | {value:,.3g} |" for name, value in figures.items())])


def process_table(parts: Parts, load: Load) -> str:
    """What one process does, as Markdown."""
    here = Cluster(0)
    predicted = predict(parts, load, here, sessions_per_host=1000)
    return "\n".join(
        [
            "| one process | |",
            "|---|---|",
            f"| sessions/s | {predicted.sessions_per_second:,.0f}, limited by: {predicted.limit} |",
            f"| 1,000 sessions at once | {burst_seconds(parts, load, here, 1000):.3g} s |",
        ]
    )


def places_table(places: Sequence[Place]) -> str:
    """Prediction and simulation side by side, as Markdown."""
    lines = [
        "| shards | nodes | hosts | predicted, sessions/s | limited by | simulated, sessions/s | hosts busy "
        "| shards busy | submissions in a transaction | commit, ms |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in places:
        cluster, predicted, simulated = one.cluster, one.predicted, one.simulated
        lines.append(
            f"| {cluster.shards} | {cluster.nodes} | {cluster.hosts} | {predicted.sessions_per_second:,.0f} "
            f"| {predicted.limit} | {simulated.sessions_per_second:,.0f} | {simulated.hosts_busy:.0%} "
            f"| {simulated.shards_busy:.0%} | {simulated.batch:,.1f} | {simulated.commit_ms:,.3g} |"
        )
    return "\n".join(lines)


def plot(places: Sequence[Place], load: Load) -> str:
    """Sessions/s over nodes, a line of the simulation for each number of shards and the prediction as dots, as SVG."""
    series = []
    for shards in dict.fromkeys(one.cluster.shards for one in places):
        same = [one for one in places if one.cluster.shards == shards]
        series.append(
            Series(
                f"{shards} shard{'s' if shards > 1 else ''}: simulated (line), predicted (dots)",
                [(one.cluster.nodes, max(1.0, one.simulated.sessions_per_second)) for one in same],
                [(one.cluster.nodes, max(1.0, one.predicted.sessions_per_second)) for one in same],
            )
        )
    branches = f"{load.branches} branches x " if load.branches else ""
    title = (
        f"Sessions of {branches}{load.calls} calls of {load.latency_ms:g} ms, nodes of {places[0].cluster.cores} cores"
    )
    return line_chart(title, "nodes", "sessions per second", series)


def _as_json(one: Place) -> dict[str, object]:
    return {
        "cluster": asdict(one.cluster),
        "allowed": dict(one.predicted.allowed),
        "limit": one.predicted.limit,
        "simulated": asdict(one.simulated),
    }
