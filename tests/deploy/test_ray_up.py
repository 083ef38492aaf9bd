"""`ray up cluster.yaml` on a machine made of namespaces, through a real SSH server; use of the cluster; `ray down`.

What is tested is cluster.yaml with these changes, because the machine has no network and this one is small:

- `install.sh` would ask an index for Ray: a link gives the node the environment that the tests run in. What it runs of
  the package is therefore this checkout, not the copy that was sent there;
- the user is the one that there is, and Ray is told to take two cores and a small object store, without a dashboard.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from .machine import ROOT, Machine, connect, machine, missing

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray_up")]
KEY = "deploy-test-key"
LAUNCHER_S = 60
SMALL = "--head --num-cpus=2 --object-store-memory=200000000 --include-dashboard=false"
DRIVER = """
import ray
ray.init(address="auto")
print("answer", ray.get(ray.remote(lambda: 6 * 7).remote()))
"""
SESSION = f"""
import json, urllib.error, urllib.request
def post(key):
    request = urllib.request.Request("http://127.0.0.1:8080/sessions", json.dumps(
        {{"input": {{"document": "Bees."}}}}).encode(), {{"Authorization": f"Bearer {{key}}"}})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)["status"]
    except urllib.error.HTTPError as error:
        return error.code, None
print(json.dumps([post("another"), post("{KEY}")]))
"""
REMAINS = "pgrep -f '[r]aylet|[g]cs_server|[r]ay::|[c]hidori serve|[f]ront_door'"
WAIT_FOR_TWO_NODES = """
import time, ray
ray.init(address="auto")
while sum(node["Alive"] for node in ray.nodes()) < 2:
    time.sleep(0.5)
"""
LISTING = f"""
import json, urllib.request
request = urllib.request.Request("http://127.0.0.1:8080/sessions", None, {{"Authorization": "Bearer {KEY}"}})
print(json.dumps([session["status"] for session in json.load(urllib.request.urlopen(request, timeout=20))["sessions"]]))
"""


@pytest.fixture
def computer() -> Iterator[Machine]:
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with machine() as made:
        yield made


def small_cluster() -> dict[str, Any]:
    """cluster.yaml, changed as the module's docstring says."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    config["auth"]["ssh_user"] = "root"
    link = f"mkdir -p ~/.chidori && ln -sfn {ROOT / '.venv'} ~/.chidori/venv"
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        commands = [link if "install.sh" in command else command for command in config[key]]
        config[key] = [command.replace("--head", SMALL) for command in commands]
    return config


def ray_alone(config: dict[str, Any]) -> dict[str, Any]:
    """The same without what this package starts."""
    commands = [command for command in config["head_start_ray_commands"] if "ray st" in command or "venv" in command]
    return config | {"head_start_ray_commands": commands}


def bring_up(computer: Machine, config: dict[str, Any], *options: str) -> None:
    """Writes the cluster file and the two files that an operator makes, and runs `ray up`."""
    environment = f"CHIDORI_API_KEY={KEY}\nCHIDORI_TEST_LLM_RESPONSE='A summary.'\n"
    computer.run("cat > ~/.chidori/cluster.env", 5, stdin=environment)
    computer.run("cat > ~/cluster.yaml", 5, stdin=yaml.safe_dump(config))
    assert computer.run("ray get-auth-token || ray get-auth-token --generate", 20).returncode == 0
    up = computer.run(f"ray up -y {' '.join(options)} ~/cluster.yaml", LAUNCHER_S)
    assert up.returncode == 0, up.stdout


def take_down(computer: Machine) -> None:
    """Runs `ray down` and waits until nothing of Ray or of ours is left; fails when something is."""
    down = computer.run("ray down -y ~/cluster.yaml", LAUNCHER_S)
    assert down.returncode == 0, down.stdout
    left = computer.run(f"while {REMAINS} >/dev/null; do sleep 0.2; done", 30)
    assert left.returncode == 0, computer.processes()


def test_ray_up_makes_a_cluster_that_only_the_token_opens_and_ray_down_ends_it(computer: Machine) -> None:
    bring_up(computer, ray_alone(small_cluster()))

    driver = computer.run("RAY_AUTH_MODE=token python -", 60, stdin=DRIVER)
    assert "answer 42" in driver.stdout, driver.stdout
    stranger = computer.run(f"RAY_AUTH_MODE=token RAY_AUTH_TOKEN={'0' * 64} python -", 60, stdin=DRIVER)
    assert stranger.returncode != 0, stranger.stdout
    assert "answer 42" not in stranger.stdout

    take_down(computer)


def test_the_cluster_grows_by_a_machine_without_a_restart(computer: Machine) -> None:
    with machine() as added:
        head_ip, worker_ip = connect(computer, added)
        config = ray_alone(small_cluster())
        config["provider"]["head_ip"] = head_ip
        bring_up(computer, config)
        head = computer.run("pgrep -x gcs_server", 5).stdout

        config["provider"]["worker_ips"] = [worker_ip]
        bring_up(computer, config, "--no-restart")
        joined = computer.run("python -", 100, stdin=WAIT_FOR_TWO_NODES)
        assert joined.returncode == 0, (
            joined.stdout + computer.run("tail -n 100 /tmp/ray/session_latest/logs/monitor*", 5).stdout
        )
        assert computer.run("pgrep -x gcs_server", 5).stdout == head


def test_agents_run_and_are_served_on_the_cluster_that_ray_up_made(computer: Machine) -> None:
    bring_up(computer, small_cluster())

    agent = "~/chidori/agents/hello.ts --input name=Ada"
    run = computer.run(f"ray exec ~/cluster.yaml 'chidori run {agent} --address auto --quiet'", 60)
    assert run.returncode == 0, run.stdout
    assert "Hello, Ada!" in run.stdout

    computer.run("cat > ~/session.py", 5, stdin=SESSION)
    served = computer.run("python ~/session.py", 90)
    assert json.loads(served.stdout) == [[401, None], [201, "completed"]], served.stdout

    kill = "old=$(pgrep -f 'bin/[c]hidori serve') && kill -9 $old && while kill -0 $old; do sleep 0.1; done"
    assert computer.run(kill, 10).returncode == 0
    again = computer.run("until python ~/session.py 2>/dev/null; do sleep 0.5; done", 60)
    assert json.loads(again.stdout) == [[401, None], [201, "completed"]], again.stdout

    bring_up(computer, small_cluster())
    stored = computer.run("python -", 30, stdin=LISTING)
    assert json.loads(stored.stdout) == ["completed"] * 3, stored.stdout

    take_down(computer)
