"""Who may play by OSC: programs of this computer, and of the subnets that were named."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
NEAR = {4: 24, 6: 64}  # bits that the addresses of a home network share, by version of IP


def subnets(host: str, named: Sequence[Network]) -> tuple[Network, ...]:
    """The subnets whose messages are taken at an address of this computer, beside its own: those named, or its own.

    Raises ValueError, one line, if some have to be named, or would never be heard.
    """
    own = ipaddress.ip_address(host)
    if own.is_loopback:
        if named:
            raise ValueError(f"no other computer reaches {host}: name an address that they reach, --osc HOST:PORT")
        return ()
    if named:
        return tuple(named)
    if own.is_unspecified or not own.is_private:
        raise ValueError(f"{host} is open to any network: name those that may play, --osc-from 192.168.1.0/24")
    return (ipaddress.ip_network(f"{host}/{NEAR[own.version]}", strict=False),)


@functools.lru_cache(maxsize=1024)  # bounded: anybody may send
def allowed(host: str, networks: tuple[Network, ...]) -> bool:
    """Whether messages from an address are taken."""
    address = ipaddress.ip_address(host)
    own = getattr(address, "ipv4_mapped", None) or address
    return own.is_loopback or any(own in network for network in networks)
