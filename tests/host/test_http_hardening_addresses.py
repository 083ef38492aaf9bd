"""No spelling of a private address is connected to: in a URL, after a redirect, or as the answer of a name server."""

import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.host import http_client
from chidori_actors.host.addresses import is_private_address
from chidori_actors.host.function import HostError, HostServices
from chidori_actors.host.http import FUNCTION
from chidori_actors.host.resources import Resources
from tests.support.raw_server import OK, once, serve_raw
from tests.support.services import make_services, run_function

ANSWER = once(OK + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi")

USUAL_FORMS = """
127.0.0.1 127.8.9.1 0.0.0.0 10.0.0.1 172.16.0.1 192.168.0.1 169.254.169.254 169.254.170.2 100.64.0.1 100.100.100.200
192.0.0.1 192.0.0.192 198.18.0.1 198.19.255.255 224.0.0.1 240.0.0.1 255.255.255.255 127.0.0.1.
[::1] [0:0:0:0:0:0:0:1] [::] [::ffff:127.0.0.1] [::FFFF:7F00:1] [::ffff:169.254.169.254] [::127.0.0.1]
[64:ff9b::127.0.0.1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::7f00:1] [2002:7f00:1::] [2002:a9fe:a9fe::1] [fe80::1] [fec0::1]
[fd00::1] [fd00:ec2::254] [ff02::1] 127。0。0。1 127．0．0．1 １２７.0.0.1 ①②⑦.0.0.1
a@127.0.0.1 public.example@127.0.0.1 public.example:80@127.0.0.1 public.example%40@127.0.0.1
"""
LEGACY_FORMS = """
2130706433 127.1 127.0.1 0177.0.0.1 0177.1 017700000001 127.0.0.01 127.000.000.001 0x7f.0.0.1 0x7f000001 0X7F.1
0x7f.0x0.0x0.0x1 127.0x1 2852039166 0xa9fea9fe 0 00 0x 4294967295 4294967296 256.0.0.1 1.2.3.4.5 public.example.0x7f
"""
NO_HOSTS = [
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "[fe80::1%25lo]",
    "[::1%25lo]",
    "[::1%lo]",
    "[127.0.0.1]",
    "127..1",
    ".127.0.0.1",
    "127.0.0.1..",
    "public.example\\@127.0.0.1",
    "127.0.0.1\\.public.example",
    "127.0.0.1%00.public.example",
    "127.0.0.1 .public.example",
    "127.0.0.1:+80",
    "127.0.0.1:８０",
    "127.0.0.1:65536",
    "127.0.0.1:0",
]
HOSTS = [*USUAL_FORMS.split(), *LEGACY_FORMS.split(), *NO_HOSTS]
RESOLVED = """
127.0.0.1 10.0.0.1 169.254.169.254 100.64.0.1 192.0.0.8 198.18.0.1 240.0.0.1 255.255.255.255 0.0.0.0 224.0.0.1
::1 :: fe80::1 fe80::1%lo fd00::1 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: ff02::1 ::127.0.0.1
"""


@pytest.fixture
async def resources() -> AsyncIterator[Resources]:
    held = Resources()
    yield held
    await held.aclose()


@pytest.fixture
def services(tmp_path: Path, resources: Resources) -> HostServices:
    """Only the name ``front.example`` is allowed to be private."""
    return make_services(tmp_path, environ={"CHIDORI_HTTP_ALLOW_HOSTS": "front.example"}, resources=resources)


async def get(services: HostServices, url: str) -> Any:
    return await run_function(FUNCTION, {"url": url}, services)


Answers = Callable[[str, int], list[str]]


def resolve_with(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> list[str]:
    """Let ``answers(name, n)`` give the addresses of the n-th question about a name; returns the names asked for."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        found = answers(host, asked.count(host))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def public(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let addresses of this machine count as public ones."""
    monkeypatch.setattr(
        http_client, "is_private_address", lambda text: text not in addresses and is_private_address(text)
    )


def with_port(host: str, port: int) -> str:
    return f"http://{host}/" if ":" in host.rpartition("]")[2].rpartition("@")[2] else f"http://{host}:{port}/"


@pytest.mark.parametrize("host", HOSTS)
async def test_no_spelling_of_a_private_address_is_connected_to(services: HostServices, host: str) -> None:
    async with serve_raw(ANSWER) as server:
        with pytest.raises(HostError) as caught:
            await get(services, with_port(host, server.port))
    assert server.heads == []
    words = (
        "is a private address"
        if host in USUAL_FORMS.split()
        else "not the usual form"
        if host in LEGACY_FORMS.split()
        else "cannot be used"
    )
    assert words in str(caught.value)


@pytest.mark.parametrize("host", HOSTS)
async def test_no_redirect_leads_to_a_private_address(
    services: HostServices, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    resolve_with(monkeypatch, lambda name, n: ["127.0.0.1"])
    async with serve_raw(ANSWER) as server:
        location = with_port(host, server.port).encode()
        redirect = once(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n")
        async with serve_raw(redirect) as front:
            try:
                answer = await get(services, f"http://front.example:{front.port}/")
            except HostError:
                pass
            else:
                assert (answer["status"], answer["error"][:11]) == (0, "redirect to")
    assert server.heads == []
    assert len(front.heads) == 1


@pytest.mark.parametrize(
    "location",
    [
        b"//127.0.0.1:%d/",
        b"\\\\127.0.0.1:%d/",
        b"http:127.0.0.1:%d/",
        b"http:///127.0.0.1:%d/",
        b"http:\\\\127.0.0.1:%d/",
    ],
)
async def test_odd_locations_lead_to_no_private_address(
    services: HostServices, monkeypatch: pytest.MonkeyPatch, location: bytes
) -> None:
    resolve_with(monkeypatch, lambda name, n: ["127.0.0.1"])
    async with serve_raw(ANSWER) as server:
        head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation: " + location % server.port
        async with serve_raw(once(head + b"\r\n\r\n")) as front:
            try:
                answer = await get(services, f"http://front.example:{front.port}/")
            except HostError as error:
                assert "is a private address" in str(error)  # noqa: PT017
            else:
                assert answer["status"] == 0
    assert server.heads == []


@pytest.mark.parametrize("address", RESOLVED.split())
async def test_no_name_leads_to_a_private_address(
    services: HostServices, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    for name in ("metadata.google.internal", "METADATA.google.internal."):
        resolve_with(monkeypatch, lambda name, n: [address])
        with pytest.raises(HostError, match=r"metadata.google.internal resolves to \S+, a private address"):
            await get(services, f"http://{name}:1/")


@pytest.mark.parametrize("order", [1, -1])
async def test_one_private_address_among_public_ones_refuses_the_name(
    services: HostServices, monkeypatch: pytest.MonkeyPatch, order: int
) -> None:
    public(monkeypatch, "127.0.0.2")
    resolve_with(monkeypatch, lambda name, n: ["127.0.0.2", "127.0.0.1"][::order])
    async with serve_raw(ANSWER) as hidden, serve_raw(ANSWER, "127.0.0.2", hidden.port) as outside:
        with pytest.raises(HostError, match=r"mixed.example resolves to 127.0.0.1, a private address"):
            await get(services, f"http://mixed.example:{hidden.port}/")
    assert (hidden.heads, outside.heads) == ([], [])


async def test_a_name_that_changes_its_address_never_leads_to_the_private_one(
    services: HostServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    public(monkeypatch, "127.0.0.2")
    asked = resolve_with(monkeypatch, lambda name, n: ["127.0.0.2"] if n == 1 else ["127.0.0.1"])
    async with serve_raw(ANSWER) as hidden, serve_raw(ANSWER, "127.0.0.2", hidden.port) as outside:
        url = f"http://rebinding.example:{hidden.port}/"
        assert (await get(services, url))["body"] == "hi"
        assert asked == ["rebinding.example"]  # the check and the connection share one answer
        client = services.resources.get(http_client.HttpClient, http_client.HttpClient)
        await client.aclose()
        with pytest.raises(HostError, match=r"rebinding.example resolves to 127.0.0.1, a private address"):
            await get(services, url)
        assert asked == ["rebinding.example"] * 2
    assert hidden.heads == []
    assert len(outside.heads) == 1


async def test_what_one_allow_list_connected_or_resolved_serves_no_other(
    tmp_path: Path, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_with(monkeypatch, lambda name, n: ["127.0.0.1"])
    kept_open = once(OK + b"Content-Length: 2\r\n\r\nhi")
    async with serve_raw(kept_open) as server:
        url = f"http://inner.example:{server.port}/"
        for entry in ("inner.example", f"inner.example:{server.port}"):
            allowing = make_services(tmp_path, environ={"CHIDORI_HTTP_ALLOW_HOSTS": entry}, resources=resources)
            assert (await get(allowing, url))["status"] == 200
            for other in ("", "127.0.0.1", "inner.example:1", "other.example", "example"):
                refusing = make_services(tmp_path, environ={"CHIDORI_HTTP_ALLOW_HOSTS": other}, resources=resources)
                with pytest.raises(HostError, match=r"inner.example resolves to 127.0.0.1"):
                    await get(refusing, url)
    assert len(server.heads) == 2


async def test_the_environments_proxy_is_not_used(services: HostServices, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_with(monkeypatch, lambda name, n: ["127.0.0.1"])
    async with serve_raw(ANSWER) as proxy, serve_raw(ANSWER) as front:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await get(services, f"http://front.example:{front.port}/"))["status"] == 200
    assert (len(front.heads), proxy.heads) == (1, [])
