"""The throughput benchmark: its command line, its workloads in this process, what it says."""

from pathlib import Path
from xml.etree import ElementTree

import orjson
import pytest

from bench.__main__ import main
from bench.meters import overlap
from bench.throughput import in_this_process
from bench.throughput_report import Case, Run, plot, tables
from bench.workloads import NAMES, workload

_TINY = ["--agents", "2", "--branches", "2", "--calls", "2", "--latency-ms", "1", "--repeat", "1"]
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--agents", "0"],
        ["--agents", "many"],
        ["--latency-ms", "-1"],
        ["--latency-ms", "nan"],
        ["--hosts", "1.5"],
        ["--system", "threads"],
        ["--scenario", "other"],
    ],
)
def test_a_number_that_means_nothing_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["throughput", *arguments])
    assert stop.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_hosts_cannot_be_varied_in_one_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["throughput", "--scenario", "hosts"]) == 2
    assert "--system ray" in capsys.readouterr().err


def test_suites_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "throughput: " in capsys.readouterr().out


def test_all_scenarios_run_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["throughput", "--scenario", "all", *_TINY, "--json", "f.json", "--plot", "f.svg"]) == 0
    runs = orjson.loads(Path("f.json").read_bytes())["runs"]
    assert [run["case"]["load"]["name"] for run in runs] == list(NAMES)
    assert [run["spent"]["vms"] for run in runs] == [2, 6, 6, 4]
    for run in runs:
        assert sum(run["event_loop"].values()) == pytest.approx(run["seconds"], rel=0.25)
    bars = ElementTree.parse("f.svg").iter(f"{_SVG}rect")
    assert len([bar for bar in bars if bar.get("class") is None]) == len(runs) * len(runs[0]["event_loop"])
    assert "2 sessions x 2 branches x 2 calls of 1 ms, one process" in capsys.readouterr().out


def test_what_a_workload_makes_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spent = in_this_process(workload("sessions", agents=3, calls=4, latency_ms=0))
    assert spent.vms == 3
    assert spent.steps == 3 * (1 + 4)
    assert spent.submissions >= 3 * 4
    assert 1 <= spent.transactions <= spent.submissions
    assert 0 < spent.javascript < spent.loop_cpu


def test_options_that_a_scenario_has_no_use_for_leave_it_as_it_is() -> None:
    assert workload("sessions", branches=7).branches == 0
    assert workload("paused", calls=7, latency_ms=7).latency_bound == 0
    assert workload("trees", branches=7).total_calls == 100 * 7 * 3


def test_the_ideal_is_the_larger_bound() -> None:
    spent = in_this_process(workload("sessions", agents=1, calls=2, latency_ms=20))
    run = Run(Case(workload("sessions", agents=1, calls=2, latency_ms=20), "local"), spent)
    assert run.ideal == pytest.approx(0.04)
    assert spent.idle > spent.idle_for_journal
    assert "one process" in tables([[run]])
    assert "one process" in plot([[run]])


def test_overlapping_spans_are_added_up() -> None:
    assert overlap([(0, 2), (3, 5)], [(1, 4), (4.5, 9)]) == pytest.approx(1 + 1 + 0.5)
    assert overlap([(0, 1)], [(1, 2)]) == 0
    assert overlap([], [(1, 2)]) == 0
