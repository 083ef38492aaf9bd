"""The file of webhook entries, in JSON and YAML, and what is said of its faults."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.errors import UsageError
from chidori_actors.front_door.webhook_config import Webhook, Webhooks, load_webhooks
from chidori_actors.settings import load_settings


def load(path: Path, **environ: str) -> Webhooks:
    return load_webhooks(load_settings({"CHIDORI_WEBHOOKS": str(path), **environ}))


def written(folder: Path, content: Any, name: str = "hooks.json") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else orjson.dumps(content))
    return path


def fault(path: Path, **environ: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(path, **environ)
    return caught.value


def test_without_a_file_no_path_has_an_entry() -> None:
    webhooks = load_webhooks(load_settings({}))

    assert webhooks.find("/github") is None
    assert webhooks.find("/") is None


def test_json_gives_each_path_its_kind_and_secret(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "/github": {"kind": "github", "secret": "${HOOK}"},
            "/slack": {"kind": "slack", "secret": "a${HOOK}b${OTHER}"},
            "/ci": {"kind": "bearer", "secret": "as it stands: $HOOK"},
            "/": {"kind": "open"},
        },
    )

    webhooks = load(path, HOOK="h-1", OTHER="o-2")

    assert webhooks.find("/github") == Webhook("github", "h-1")
    assert webhooks.find("/slack") == Webhook("slack", "ah-1bo-2")
    assert webhooks.find("/ci") == Webhook("bearer", "as it stands: $HOOK")
    assert webhooks.find("/") == Webhook("open")


@pytest.mark.parametrize("name", ["hooks.yaml", "hooks.yml"])
def test_yaml_says_the_same(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, "/github:\n  kind: github\n  secret: ${HOOK}\n/public/*: {kind: open}\n", name)

    webhooks = load(path, HOOK="h-1")

    assert webhooks.find("/github") == Webhook("github", "h-1")
    assert webhooks.find("/public/a") == Webhook("open")


def test_the_most_specific_entry_counts() -> None:
    webhooks = Webhooks(
        {
            "/*": Webhook("open"),
            "/a/*": Webhook("bearer", "below a"),
            "/a/b/*": Webhook("bearer", "below b"),
            "/a/b": Webhook("bearer", "b itself"),
        }
    )

    found = {path: webhooks.find(path) for path in ("/x", "/a", "/a/", "/a/x", "/a/b", "/a/b/", "/a/b/c/d", "/a/bc")}

    assert {path: entry.secret for path, entry in found.items() if entry is not None} == {
        "/x": "",
        "/a": "",
        "/a/": "below a",
        "/a/x": "below a",
        "/a/b": "b itself",
        "/a/b/": "below b",
        "/a/b/c/d": "below b",
        "/a/bc": "below a",
    }


@pytest.mark.parametrize("path", ["/github2", "/GitHub", "/github/", "/", "", "*", "/a/github"])
def test_a_path_is_matched_as_a_whole(path: str) -> None:
    assert Webhooks({"/github": Webhook("open"), "/below/*": Webhook("open")}).find(path) is None


def test_a_secret_is_not_shown_with_its_entry() -> None:
    assert "hidden-secret" not in repr(Webhooks({"/a": Webhook("bearer", "hidden-secret")}))


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (1, "must be an object with `kind`"),
        ({}, "has no kind; use one of: github, slack, bearer, open"),
        ({"kind": "gitlab", "secret": "s"}, "is of 'gitlab', an unknown kind; use one of: github,"),
        ({"kind": ["github"], "secret": "s"}, "an unknown kind"),
        ({"kind": "github"}, "is of kind github and has no `secret`"),
        ({"kind": "open", "secret": "s"}, "is open to everybody, and has a `secret`"),
        ({"kind": "slack", "secret": 12}, "has a `secret` that is not a string"),
        ({"kind": "slack", "secret": ""}, "has an empty `secret`"),
        ({"kind": "slack", "secret": "${EMPTY}"}, "has an empty `secret`"),
        ({"kind": "slack", "secret": "${MISSING}"}, "`secret` that needs the environment variable MISSING"),
        ({"kind": "slack", "secret": "${not a name}"}, "`secret` that has `${not a name}`, which names no variable"),
        ({"kind": "slack", "secret": "${"}, "`secret` that has `${` without a `}`"),
        ({"kind": "slack", "secret": "${A}${B"}, "`secret` that has `${` without a `}`"),
        ({"kind": "slack", "secret": "${BYTES}"}, "`secret` that is not text in UTF-8"),
        ({"kind": "slack", "secrets": "s"}, "has an unknown field `secrets`; known are kind, secret"),
    ],
)
def test_a_fault_of_an_entry_is_named_with_file_and_path(entry: Any, says: str, tmp_path: Path) -> None:
    path = written(tmp_path, {"/fine": {"kind": "open"}, "/hook": entry})

    error = fault(path, EMPTY=" ", A="a", B="b", BYTES="\udcff")

    assert str(error).startswith(f"{path}: `/hook` ")
    assert says in str(error)
    assert error.hint


@pytest.mark.parametrize("name", ["hook", "", "*", "/a*", "/*/a", "/a?b=c", "/a#b", "/a/**"])
def test_what_is_no_path_is_a_fault(name: str, tmp_path: Path) -> None:
    assert f"`{name}` is not a path" in str(fault(written(tmp_path, {name: {"kind": "open"}})))


@pytest.mark.parametrize("name", ["/sessions", "/sessions/x", "/sessions/*", "/health", "/agents", "/metrics"])
def test_a_path_of_the_server_itself_is_a_fault(name: str, tmp_path: Path) -> None:
    assert "is a path of the server itself" in str(fault(written(tmp_path, {name: {"kind": "open"}})))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("hooks.json", "{", "is not valid JSON: Expecting property name"),
        ("hooks.json", "[" * 100_000, "is not valid JSON: it is nested too deeply"),
        ("hooks.json", '{"/a": {"kind": "open"}, "/a": {"kind": "open"}}', "the field '/a' is given twice"),
        ("hooks.json", "[]", "it must be an object that holds an entry for each path"),
        ("hooks.yaml", "/a: {kind: open", "is not valid YAML: expected ',' or '}', but got '<stream end>' (line 1"),
        ("hooks.yaml", "/a:\n  kind: open\n  kind: open\n", "the field 'kind' is given twice (line 3, column 3)"),
        ("hooks.yaml", "/a: {kind: open}\n/a: {kind: open}\n", "the field '/a' is given twice (line 2, column 1)"),
        ("hooks.yaml", "/a: !!python/object:os.system {}", "could not determine a constructor for the tag"),
        ("hooks.yaml", "/a: \x01", "is not valid YAML: "),
        ("hooks.yaml", "[" * 5_000, "is not valid YAML: it is nested too deeply"),
        ("hooks.yaml", "/a: &a [*a]", "`/a` must be an object"),
        ("hooks.yaml", "1: {kind: open}", "`1` is not a path"),
        ("hooks.yaml", "", "it must be an object that holds an entry for each path"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(name: str, content: str, says: str, tmp_path: Path) -> None:
    path = written(tmp_path, content, name)

    error = fault(path)

    assert str(error).startswith(f"{path}: ")
    assert says in str(error)
    assert error.hint


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert str(fault(tmp_path / "none.json")) == (
        f"{tmp_path / 'none.json'}: the webhooks file cannot be read: No such file or directory"
    )
