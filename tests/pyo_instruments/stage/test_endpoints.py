"""What `--osc` and `--osc-from` accept."""

from __future__ import annotations

import click
import pytest

from ngs.pyo_instruments.stage.endpoints import Endpoint, Subnet, shown


@pytest.mark.parametrize(
    ("text", "endpoint", "written"),
    [
        ("9000", ("127.0.0.1", 9000), "127.0.0.1:9000"),
        ("65535", ("127.0.0.1", 65535), "127.0.0.1:65535"),
        ("192.168.1.5:9000", ("192.168.1.5", 9000), "192.168.1.5:9000"),
        ("0.0.0.0:1", ("0.0.0.0", 1), "0.0.0.0:1"),
        ("localhost:9000", ("127.0.0.1", 9000), "127.0.0.1:9000"),
        ("[::1]:9000", ("::1", 9000), "[::1]:9000"),
    ],
)
def test_a_port_is_of_this_computer_unless_a_host_is_named(text: str, endpoint: tuple[str, int], written: str) -> None:
    assert Endpoint().convert(text, None, None) == endpoint
    assert shown(*endpoint) == written


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "9999999", "x", ":9000", "host:", "1:2:3", "::1:9000", "9000 ", "-1"]
)
def test_what_is_neither_a_port_nor_a_host_with_one_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is neither a port, 1 to 65535, nor HOST:PORT"):
        Endpoint().convert(text, None, None)


def test_a_host_without_an_address_is_refused() -> None:
    with pytest.raises(click.BadParameter, match=r"'no\.invalid' has no address"):
        Endpoint().convert("no.invalid:9000", None, None)
    with pytest.raises(click.BadParameter, match="has no address"):
        Endpoint().convert(f"{'x' * 70}:9000", None, None)  # longer than a name may be


@pytest.mark.parametrize(
    ("text", "subnet"),
    [("192.168.1.0/24", "192.168.1.0/24"), ("192.168.1.7/24", "192.168.1.0/24"), ("10.0.0.7", "10.0.0.7/32"),
     ("fd00::/8", "fd00::/8")],
)  # fmt: skip
def test_a_subnet_may_be_a_single_address(text: str, subnet: str) -> None:
    assert str(Subnet().convert(text, None, None)) == subnet


@pytest.mark.parametrize("text", ["", "home", "192.168.1.0/33", "192.168.1", "*"])
def test_what_is_no_subnet_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"is neither a subnet such as 192\.168\.1\.0/24 nor an address"):
        Subnet().convert(text, None, None)
