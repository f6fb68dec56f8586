"""Who may play by OSC: programs of this computer, and of the subnets that were named."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
NEAR = {4: 24, 6: 64}  # bits that the addresses of a home network share, by version of IP


def subnets(host: str, named: Sequence[Network]) -> tuple[Network, ...]:
    """The subnets whose messages are taken at an address of this computer, beside its own: those named, or its own.

    Raises ValueError, one line, if `host` is no number of IP, or if some have to be named, or would never be heard.
    """
    try:
        own = _address(host)
    except ValueError:
        raise ValueError(f"{host!r} is no IP address: give one of this computer, such as 127.0.0.1") from None
    if own.is_loopback:
        if named:
            raise ValueError(f"no other computer reaches {host}: name an address that they reach, --osc HOST:PORT")
        return ()
    if named:
        return tuple(named)
    if own.is_unspecified or not own.is_private:
        raise ValueError(f"{host} is open to any network: name those that may play, --osc-from 192.168.1.0/24")
    return (ipaddress.ip_network(f"{own}/{NEAR[own.version]}", strict=False),)


@functools.lru_cache(maxsize=1024)  # bounded: anybody may send
def allowed(host: str, networks: tuple[Network, ...]) -> bool:
    """Whether messages from an address are taken."""
    own = _address(host)
    return own.is_loopback or any(own in network for network in networks)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An address; of IPv4 as well if IPv6 writes it as its own, ::ffff:192.168.1.5. Raises ValueError."""
    address = ipaddress.ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address
