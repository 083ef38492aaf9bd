"""What the benchmark reads of other processes."""

import subprocess
import sys
from pathlib import Path

import orjson

from bench.cluster_cpu import cpu_by_role
from bench.host_meters import inside_hosts


def test_processor_time_of_processes_below_this_one_is_found() -> None:
    code = "import time\nwhile time.process_time() < 0.2: pass\nprint('worked', flush=True)\ninput()"
    command = ["/bin/sh", "-c", '"$0" -c "$1"; exit', sys.executable, code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert cpu_by_role(process.pid)["Ray"] >= 0.15
        process.communicate(b"\n")


def test_figures_of_hosts_are_added_up_and_others_left_out(tmp_path: Path) -> None:
    for name, steps in (("1", 10), ("2", 0), ("3", 5), ("4.part", 7)):
        (tmp_path / name).write_bytes(orjson.dumps({"steps": steps, "messages sent": 2}))
    assert inside_hosts(tmp_path) == {"steps": 15, "messages sent": 4}
