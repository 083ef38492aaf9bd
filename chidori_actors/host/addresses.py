"""Which network addresses ``http`` may reach."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# The only block IANA has allocated for global unicast (RFC 4291, section 2.4).
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# RFC 6052: the last 32 bits are the IPv4 address that the translator connects to.
_NAT64 = IPv6Network("64:ff9b::/96")
# Python's tables differ from release to release, and some hold parts of these only.
_NOT_PUBLIC = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments; 192.0.0.192 is a metadata address
    IPv4Network("192.88.99.0/24"),  # relays to IPv6, out of use
    IPv4Network("168.63.129.16/32"),  # looks public, but is the host of every virtual machine at Azure
    IPv6Network("3fff::/20"),  # documentation
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


def is_private_address(text: str) -> bool:
    """Whether an IP address is anything but a public unicast one.

    An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4) is judged by that one, so that neither
    hides a private address and hosts behind NAT64 still reach the world.
    """
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        carried = _carried_ipv4(address)
        if carried is None:
            return address not in _GLOBAL_UNICAST or not address.is_global or _is_listed(address)
        address = carried
    return not address.is_global or address.is_multicast or address.is_reserved or _is_listed(address)


def _is_listed(address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in _NOT_PUBLIC)


def _carried_ipv4(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def is_ip_address(host: str) -> bool:
    """Whether ``host`` is an IP address in its usual form, and not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def looks_like_ipv4(host: str) -> bool:
    """Whether a system's resolver may read ``host`` as an IPv4 address (``127.1``, ``0x7f.1``, ``2130706433``).

    A name whose last label is a number can be nothing else: there is no such top-level domain.
    """
    return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None


def names_host(entries: Iterable[str], host: str, port: int | None) -> bool:
    """Whether an entry (``host``, ``host:port`` or ``*``) names this host.

    ``host`` is the one of the URL, in lower case; an entry covers whatever it resolves to. ``port`` is None for
    a destination without one (``mcp:name``).
    """
    if port is None:
        return any(entry.lower() in ("*", host) for entry in entries)
    shown = f"[{host}]" if ":" in host else host
    accepted = {"*", host, shown, f"{shown}:{port}"}
    return any(entry.lower().removesuffix(".") in accepted for entry in entries)
