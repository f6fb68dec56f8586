"""Types of the options that say where OSC is heard, and from whom."""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any

import click

from ngs.pyo_instruments.surfaces.osc_access import Network

LOOPBACK = "127.0.0.1"
ENDPOINT = re.compile(r"(?:(?P<host>[^:\[\]]+):|\[(?P<six>[^\[\]]+)\]:)?(?P<port>\d{1,6})")


class Endpoint(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.4
    """PORT of this computer alone, or HOST:PORT, as the numeric address of the host and the port."""

    name = "endpoint"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        found = ENDPOINT.fullmatch(value)
        if not found or not 1 <= int(found["port"]) <= 65535:
            self.fail(f"{value!r} is neither a port, 1 to 65535, nor HOST:PORT.", param, ctx)
        host = found["host"] or found["six"] or LOOPBACK
        try:
            known = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            self.fail(f"{host!r} has no address: {error}.", param, ctx)
        known.sort(key=lambda each: each[0] != socket.AF_INET)  # tablets send to IPv4
        return str(known[0][4][0]), int(found["port"])


class Subnet(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.4
    """A subnet such as 192.168.1.0/24, or a single address."""

    name = "subnet"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Network:
        try:
            return ipaddress.ip_network(value, strict=False)
        except ValueError:
            self.fail(f"{value!r} is neither a subnet such as 192.168.1.0/24 nor an address.", param, ctx)


def shown(host: str, port: int) -> str:
    """An address as it is written."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
