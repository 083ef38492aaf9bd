"""The files that make a cluster, against their schemas: Ray's own for `ray up`, KubeRay's for Kubernetes."""

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement

from .ray_schema import check_cluster_config

ROOT = Path(__file__).parents[2]
LAUNCHER_FILES = ("cluster.yaml", "deploy/aws.yaml", "deploy/gcp.yaml")
OPERATOR = "github.com/ray-project/kuberay/ray-operator@v1.5.1"
LIMIT_S = 120


def load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return config


def manifests() -> dict[str, dict[str, Any]]:
    """The manifests of deploy/kuberay.yaml, by kind."""
    return {manifest["kind"]: manifest for manifest in yaml.safe_load_all((ROOT / "deploy/kuberay.yaml").read_text())}


@cache
def ray_cluster_schema() -> dict[str, Any]:
    """The schema of RayCluster, from the operator's Go module; skips the test when that cannot be had."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("there is no `go` here, which brings KubeRay's schema")
    got = subprocess.run(
        [go, "mod", "download", "-json", OPERATOR], capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if got.returncode != 0:
        pytest.skip(f"Go's module proxy does not give {OPERATOR}, which has KubeRay's schema: {got.stdout[-300:]}")
    definition = Path(json.loads(got.stdout)["Dir"]) / "config/crd/bases/ray.io_rayclusters.yaml"
    (version,) = (
        version
        for version in yaml.load(definition.read_text(), yaml.CSafeLoader)["spec"]["versions"]
        if version["name"] == "v1"
    )
    schema: dict[str, Any] = closed(version["schema"]["openAPIV3Schema"])
    return schema


def closed(schema: Any) -> Any:
    """A schema that refuses what it does not name: Kubernetes drops unknown fields silently, typing errors too."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(part) for key, part in schema.items()}
    named = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if named and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


@pytest.mark.parametrize("name", LAUNCHER_FILES)
def test_ray_accepts_the_cluster_file(name: str) -> None:
    check_cluster_config(load(name))


@pytest.mark.parametrize("name", LAUNCHER_FILES)
def test_ray_would_refuse_a_misspelt_key(name: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match="setup_command"):
        check_cluster_config(load(name) | {"setup_command": []})


@pytest.mark.parametrize("name", LAUNCHER_FILES)
def test_what_a_cluster_file_mounts_and_runs_is_in_the_checkout(name: str) -> None:
    config = load(name)
    mounts = config["file_mounts"]
    assert all((ROOT / source).exists() for source in mounts.values() if not source.startswith("~"))
    lists = ("setup_commands", "head_setup_commands", "head_start_ray_commands", "worker_start_ray_commands")
    commands = "\n".join(command for key in lists for command in config.get(key, ()))
    for path in re.findall(r"~/chidori/([\w./-]+)", commands):
        assert (ROOT / path).is_file()
        assert any(f"~/chidori/{path}".startswith(target) for target in mounts)


@pytest.mark.parametrize("name", LAUNCHER_FILES)
def test_the_token_reaches_every_node(name: str) -> None:
    mounts = load(name)["file_mounts"]
    assert mounts["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert "RAY_AUTH_MODE=token" in (ROOT / "deploy/environment.sh").read_text()


def test_the_cloud_files_start_what_the_local_one_starts() -> None:
    shared = ("file_mounts", "rsync_exclude", "setup_commands", "head_start_ray_commands", "worker_start_ray_commands")
    local, *clouds = ({key: load(name)[key] for key in shared} for name in LAUNCHER_FILES)
    commands = [command.replace("RAY_enable_autoscaler_v2=0 ", "") for command in local["head_start_ray_commands"]]
    local["head_start_ray_commands"] = commands
    for cloud in clouds:  # whose head also needs what it makes machines with
        started = cloud["head_start_ray_commands"]
        cloud["head_start_ray_commands"] = [command for command in started if "pip install" not in command]
    assert all(cloud == local for cloud in clouds)


@pytest.mark.parametrize("name", LAUNCHER_FILES)
def test_nothing_is_installed_under_a_ray_that_runs(name: str) -> None:
    config = load(name)
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        commands = config[key]
        (installing,) = (place for place, command in enumerate(commands) if "install.sh" in command)
        assert "ray stop" in commands[installing - 1]
        assert any("ray start" in command for command in commands[installing:])
    early = (*config["setup_commands"], *config.get("head_setup_commands", ()))
    assert not [command for command in early if "install" in command], "Ray runs these under a cluster, too"


def test_kubernetes_knows_every_field_of_the_ray_cluster() -> None:
    jsonschema.validate(manifests()["RayCluster"], ray_cluster_schema())


def test_kubernetes_knows_every_field_of_the_claim() -> None:
    """By the schema of a claim that a pod's template has inside: the definition of RayCluster contains it."""
    pod = ray_cluster_schema()["properties"]["spec"]["properties"]["headGroupSpec"]["properties"]["template"]
    volume = pod["properties"]["spec"]["properties"]["volumes"]["items"]["properties"]
    claim = volume["ephemeral"]["properties"]["volumeClaimTemplate"]["properties"]["spec"]
    jsonschema.validate(manifests()["PersistentVolumeClaim"]["spec"], claim)


def test_kubernetes_would_drop_a_misspelt_field() -> None:
    cluster = manifests()["RayCluster"]
    cluster["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["volumeMount"] = []
    with pytest.raises(jsonschema.ValidationError, match="volumeMount"):
        jsonschema.validate(cluster, ray_cluster_schema())


def test_every_node_gets_the_same_ray_and_one_that_the_package_takes() -> None:
    texts = {
        "install.sh": r"^ray=([\d.]+)$",
        "Dockerfile": r"FROM rayproject/ray:([\d.]+)-",
        "kuberay.yaml": r"rayVersion: ([\d.]+)",
    }
    found = {
        re.findall(pattern, (ROOT / "deploy" / name).read_text(), re.MULTILINE)[0] for name, pattern in texts.items()
    }
    assert len(found) == 1
    requirement = re.findall(r'"(ray\[default\][^"]*)"', (ROOT / "pyproject.toml").read_text())[0]
    assert Requirement(requirement).specifier.contains(found.pop())


@pytest.mark.parametrize("script", sorted((ROOT / "deploy").glob("*.sh")), ids=lambda path: path.name)
def test_the_shell_accepts_the_script(script: Path) -> None:
    checked = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
