"""Which addresses are private, and what an allow list names."""

import pytest

from chidori_actors.host.addresses import is_private_address, looks_like_ipv4, names_host

PRIVATE = """
127.0.0.1 127.8.9.1 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0
224.0.0.1 240.0.0.1 255.255.255.255 192.0.2.1 198.18.0.1 ::1 :: fe80::1 fec0::1 fc00::1
fd00:ec2::254 ff02::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 2002:7f00:1::
2001:db8::1 2001::1 100::1
192.0.0.8 192.0.0.192 192.0.0.255 192.88.99.1 168.63.129.16 ::ffff:168.63.129.16 64:ff9b::c000:c0 3fff::1 5f00::1
2001:20::1 fd20:ce::254 fe80::1%lo
"""


@pytest.mark.parametrize(
    "address",
    PRIVATE.split(),
)
def test_private_addresses(address: str) -> None:
    assert is_private_address(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "100.128.0.1", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_public_addresses(address: str) -> None:
    assert not is_private_address(address)


@pytest.mark.parametrize(
    ("entry", "host", "port", "named"),
    [
        ("*", "a.example", 80, True),
        ("A.Example", "a.example", 80, True),
        ("a.example:80", "a.example", 80, True),
        ("a.example:80", "a.example", 81, False),
        ("a.example", "b.a.example", 80, False),
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("::1", "::1", 8080, True),
        ("[::1]:8080", "::1", 8080, True),
        ("::1:8080", "::1", 8080, False),
    ],
)
def test_entries_of_the_allow_list(entry: str, host: str, port: int, named: bool) -> None:
    assert names_host(("other", entry), host, port) is named


@pytest.mark.parametrize(
    ("host", "looks"),
    [
        ("127.1", True),
        ("2130706433", True),
        ("0x7f.1", True),
        ("a.0X7F", True),
        ("0x", True),
        ("1.2.3.4.5", True),
        ("1.example", False),
        ("0xfg", False),
        ("127.0.0.1.nip.example", False),
        ("xn--9hbcp", False),
    ],
)
def test_what_a_resolver_may_read_as_an_ipv4_address(host: str, looks: bool) -> None:
    assert looks_like_ipv4(host) is looks
