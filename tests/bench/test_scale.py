"""The model of a cluster, its simulation, and whether they fit what was measured."""

import statistics
from dataclasses import asdict, replace
from pathlib import Path

import orjson
import pytest

from bench.__main__ import main
from bench.scale import PARTS
from bench.scale_model import Cluster, Cost, Journal, Load, Messaging, Parts, burst_seconds, predict
from bench.scale_parts import fit
from bench.scale_simulation import simulate

MEASURED = Path(__file__).parents[2] / "bench" / "scale_measured.json"
FACTOR = 1.5

_PARTS = Parts(
    session=Cost(2000, 700, 4, 2600),
    branch=Cost(1000, 250, 1.1, 1000),
    call=Cost(200, 100, 1, 320),
    journal=Journal(300, 10),
    messaging=Messaging(500, 20, 500, 20, 300, 500),
)
_LOAD = Load(calls=10, latency_ms=50)


@pytest.mark.parametrize("part", ["session", "call"])
def test_what_costs_more_does_not_make_it_faster(part: str) -> None:
    cost = getattr(_PARTS, part)
    dearer = replace(_PARTS, **{part: replace(cost, host_us=2 * cost.host_us, submissions=2 * cost.submissions)})
    for cluster in (Cluster(0), Cluster(2), Cluster(20, shards=4)):
        assert predict(dearer, _LOAD, cluster).sessions_per_second < predict(_PARTS, _LOAD, cluster).sessions_per_second


def test_more_nodes_help_until_the_journal_limits_and_then_shards_do() -> None:
    predictions = [predict(_PARTS, _LOAD, Cluster(nodes)) for nodes in (1, 2, 4, 100)]
    rates = [one.sessions_per_second for one in predictions]
    assert rates[0] < rates[1] < rates[2]
    assert predictions[0].limit == "hosts"
    assert predictions[-1].limit == "journal"
    sharded = predict(_PARTS, _LOAD, Cluster(100, shards=4))
    assert sharded.sessions_per_second > 2 * rates[-1]


def test_few_sessions_are_limited_by_their_calls() -> None:
    prediction = predict(_PARTS, _LOAD, Cluster(4), sessions_per_host=1)
    assert prediction.limit == "sessions under way"
    assert prediction.sessions_per_second < 7 / 0.5


def test_a_burst_takes_at_least_as_long_as_its_calls_and_its_work() -> None:
    assert burst_seconds(_PARTS, _LOAD, Cluster(0), 1) == pytest.approx(0.5 + 0.004)
    assert burst_seconds(_PARTS, _LOAD, Cluster(0), 1000) == pytest.approx(4.0)


@pytest.mark.parametrize("cluster", [Cluster(1, 2, 2), Cluster(1, 2, 0)])
def test_a_cluster_needs_hosts_and_a_shard(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="there must be"):
        predict(_PARTS, _LOAD, cluster)


def test_a_cluster_cannot_be_predicted_without_its_messages() -> None:
    with pytest.raises(ValueError, match="--ray"):
        predict(replace(_PARTS, messaging=None), _LOAD, Cluster(2))


def test_a_simulation_is_the_same_each_time() -> None:
    cluster = Cluster(2)
    assert simulate(_PARTS, _LOAD, cluster, sessions_per_host=32) == simulate(
        _PARTS, _LOAD, cluster, sessions_per_host=32
    )


@pytest.mark.parametrize(
    ("cluster", "sessions", "limit"),
    [
        (Cluster(0), 200, "hosts"),
        (Cluster(1), 400, "hosts"),
        (Cluster(2), 8, "sessions under way"),
        (Cluster(24), 100, "journal"),
    ],
)
def test_simulation_and_model_agree(cluster: Cluster, sessions: int, limit: str) -> None:
    predicted = predict(_PARTS, _LOAD, cluster, sessions_per_host=sessions)
    simulated = simulate(_PARTS, _LOAD, cluster, sessions_per_host=sessions, rounds=1)
    assert predicted.limit == simulated.limit == limit
    assert simulated.sessions_per_second == pytest.approx(predicted.sessions_per_second, rel=0.3)


def test_the_measured_parts_predict_the_measured_throughput_of_one_process() -> None:
    parts = Parts.from_json(orjson.loads(PARTS.read_bytes())["parts"])
    measured: dict[Load, tuple[int, list[float]]] = {}
    for run in orjson.loads(MEASURED.read_bytes())["runs"]:
        case = run["case"]["load"]
        if run["case"]["system"] == "local" and not case["pauses"]:
            load = Load(case["branches"], case["calls"], case["latency_ms"])
            measured.setdefault(load, (case["sessions"], []))[1].append(run["seconds"])
    assert len(measured) == 3
    for load, (sessions, seconds) in measured.items():
        predicted = burst_seconds(parts, load, Cluster(0), sessions)
        assert predicted / FACTOR < statistics.median(seconds) < predicted * FACTOR, load


def test_parts_are_read_as_they_were_written() -> None:
    assert Parts.from_json(asdict(_PARTS)) == _PARTS
    assert Parts.from_json(asdict(replace(_PARTS, messaging=None))).messaging is None
    with pytest.raises(ValueError, match="'journal'"):
        Parts.from_json({**asdict(_PARTS), "journal": {"transaction_us": 1.0}})


def test_costs_are_found_from_rounds() -> None:
    rounds = [(1.0, 1.0, 3.0), (1.0, 10.0, 12.0), (3.0, 50.0, 56.0)]
    assert fit(rounds) == pytest.approx((2.0, 1.0))
    with pytest.raises(ValueError, match="do not differ"):
        fit([(1.0, 2.0, 3.0), (2.0, 4.0, 6.0)])


def test_tables_and_the_curve_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts, curve, figures = tmp_path / "parts.json", tmp_path / "curve.svg", tmp_path / "figures.json"
    parts.write_bytes(orjson.dumps({"machine": {"cores": 2}, "parts": asdict(_PARTS)}))
    few = ["--nodes", "1,2", "--shards", "1,2", "--sessions-per-host", "8"]
    assert main(["scale", "--parts", str(parts), *few, "--plot", str(curve), "--json", str(figures)]) == 0
    places = orjson.loads(figures.read_bytes())["places"]
    assert [(one["cluster"]["shards"], one["cluster"]["nodes"]) for one in places] == [(1, 1), (1, 2), (2, 2)]
    assert curve.read_text().startswith("<svg")
    assert "| 2 | 2 | 2 |" in capsys.readouterr().out


def test_without_measured_parts_it_says_how_to_measure_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scale", "--parts", str(tmp_path / "none.json")]) == 2
    assert "--measure" in capsys.readouterr().err
