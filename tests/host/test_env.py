"""``env`` and the placeholders that stand for values."""

from pathlib import Path

import orjson
import pytest

from chidori_actors.host.env import FUNCTION
from chidori_actors.host.function import HostError, HostServices
from chidori_actors.host.secrets import Secrets
from tests.support.services import make_services, run_function

VALUE = "s3cret/värde"


def secrets(seed: str = "seed", hosts: tuple[str, ...] | None = None, **environ: str) -> Secrets:
    return Secrets(environ or {"TOKEN": VALUE}, seed, lambda name: hosts)


@pytest.fixture
def services(tmp_path: Path) -> HostServices:
    return make_services(tmp_path, environ={"TOKEN": VALUE})


def delivered(args: dict[str, object], services: HostServices) -> str:
    assert FUNCTION.unrecorded is not None
    value = orjson.loads(FUNCTION.unrecorded(args, services))
    assert isinstance(value, str)
    return value


async def test_the_record_says_null_and_the_agent_gets_a_placeholder(services: HostServices) -> None:
    assert await run_function(FUNCTION, {"name": "TOKEN"}, services) is None
    placeholder = delivered({"name": "TOKEN"}, services)
    assert placeholder == services.secrets.placeholder("TOKEN")
    assert VALUE not in placeholder


def test_reveal_gives_the_value_and_makes_it_known_to_redact(services: HostServices) -> None:
    assert services.secrets.redact(VALUE) == VALUE
    assert delivered({"name": "TOKEN", "reveal": True}, services) == VALUE
    assert services.secrets.redact(f"<{VALUE}>") == f"<{services.secrets.placeholder('TOKEN')}>"


def test_the_record_keeps_reveal_only_when_it_was_asked_for() -> None:
    assert FUNCTION.record_args is not None
    assert FUNCTION.record_args({"name": "A", "reveal": False}, None) == {"name": "A"}
    assert FUNCTION.record_args({"name": "A", "reveal": True}, None) == {"name": "A", "reveal": True}
    assert FUNCTION.policy_target({"name": "A"}) == "env:A"


async def test_an_unset_variable_says_how_to_set_it(services: HostServices) -> None:
    with pytest.raises(HostError, match=r"^environment variable MISSING is not set; set it .*MISSING="):
        await run_function(FUNCTION, {"name": "MISSING"}, services)
    with pytest.raises(HostError, match="is not the name of an environment variable"):
        await run_function(FUNCTION, {"name": "A=B"}, services)
    with pytest.raises(HostError, match="must be a string"):
        await run_function(FUNCTION, {"name": None}, services)


def test_a_placeholder_is_filled_in_another_process_of_the_same_run() -> None:
    placeholder = secrets().placeholder("TOKEN")
    assert secrets().fill(f"a {placeholder}{placeholder} b", "host", 443) == f"a {VALUE}{VALUE} b"


def test_a_placeholder_of_another_run_or_a_forged_one_stays_as_it_is() -> None:
    for text in (secrets("other").placeholder("TOKEN"), "chidori-env-TOKEN-" + "0" * 20, "chidori-env-"):
        assert secrets().fill(text, "host", 443) == text
        assert not secrets().has_placeholder(text)


def test_a_secret_bound_to_hosts_goes_nowhere_else() -> None:
    bound = secrets(hosts=("Api.example.com",))
    placeholder = bound.placeholder("TOKEN")
    assert bound.fill(placeholder, "api.example.com", 8443) == VALUE
    with pytest.raises(HostError, match=r"TOKEN may be sent only to Api\.example\.com, not to evil\.example"):
        bound.fill(placeholder, "evil.example", 443)


def test_a_secret_may_be_bound_to_one_port_of_a_host() -> None:
    bound = secrets(hosts=("api.example.com:8443",))
    placeholder = bound.placeholder("TOKEN")
    assert bound.fill(placeholder, "api.example.com", 8443) == VALUE
    with pytest.raises(HostError, match=r"only to api\.example\.com:8443, not to api\.example\.com:443"):
        bound.fill(placeholder, "api.example.com", 443)


def test_filling_a_variable_that_is_gone_is_an_error() -> None:
    placeholder = secrets().placeholder("TOKEN")
    with pytest.raises(HostError, match="TOKEN is not set"):
        secrets(OTHER="x").fill(placeholder, "host", 443)


def test_every_spelling_is_redacted_and_the_longest_value_first() -> None:
    both = secrets(LONG='abcdef"/ghi', SHORT='abcdef"')
    for name in ("SHORT", "LONG"):
        both.reveal(name)
    long, short = both.placeholder("LONG"), both.placeholder("SHORT")
    assert both.redact('abcdef"/ghi abcdef"x') == f"{long} {short}x"
    assert both.redact(r"abcdef%22%2Fghi abcdef\"/ghi") == f"{long} {long}"


def test_a_value_too_short_to_be_told_from_ordinary_text_is_not_redacted() -> None:
    short = secrets(FLAG="true")
    short.reveal("FLAG")
    assert short.redact("it is true") == "it is true"
