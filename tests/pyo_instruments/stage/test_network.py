"""A tablet in a network of its own, two network namespaces joined by a cable: heard where it was asked for only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyo")

SEPARATE = ("unshare", "--user", "--map-current-user", "--keep-caps", "--net")
SILENT, PATIENT = "1.5", "30"  # seconds in which the tablet hears nothing, and until it has heard all
TABLET = """
import json, socket, struct, sys, time
text = lambda each: each.encode() + bytes(4 - len(each) % 4)
host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
wanted = {"/pong", "/speed", "/error"}
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as surface:
    surface.settimeout(0.1)
    heard, end = set(), time.monotonic() + seconds
    while time.monotonic() < end and not wanted <= heard:
        try:
            pitch = text("/pitch") + text(",f") + struct.pack(">f", 7)
            for each in (pitch, text("/tempo"), text("/ping"), text("/subscribe")):
                surface.sendto(each, (host, port))
            while time.monotonic() < end and not wanted <= heard:
                heard.add(surface.recv(9000).split(bytes(1))[0].decode())
        except OSError:  # nothing comes, or nobody listens
            pass
print(json.dumps(sorted(heard)))
"""
HOUSE = """
import json, subprocess, sys, time

def run(*words, **how):
    return subprocess.run(words, check=True, **how)

def play(bundle, seconds, *osc):
    # What the tablet hears and what the player's screen says.
    words = ["play", "path-player", "--bundle", bundle, "--audio", "jack", "--log", "log.jsonl", *osc]
    command = [sys.executable, "-c", "from ngs.cli.main import main; main()", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as player:
        lines = [player.stdout.readline()]
        tablet = [sys.executable, "tablet.py", "10.99.0.1", "9321", seconds]
        heard = run(*enter, *tablet, capture_output=True, text=True).stdout
        time.sleep(0.5)
        player.terminate()
        rest, errors = player.communicate(timeout=60)
    played = [json.loads(line).get("address") for line in open("log.jsonl")][1:]
    return {"lines": [*lines, *rest.splitlines()], "errors": errors, "heard": json.loads(heard), "played": played}

apart = subprocess.Popen(["unshare", "--net", "sleep", "300"])
try:
    time.sleep(0.5)
    enter = ["nsenter", "--target", str(apart.pid), "--net"]
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "player", "type", "veth", "peer", "name", "tablet")
    run("ip", "link", "set", "tablet", "netns", str(apart.pid))
    for name, host, within in (("player", "10.99.0.1/24", []), ("tablet", "10.99.0.2/24", enter)):
        run(*within, "ip", "address", "add", host, "dev", name)
        run(*within, "ip", "link", "set", name, "up")
    print(json.dumps([play(sys.argv[1], *osc) for osc in json.loads(sys.argv[2])]))
finally:
    apart.kill()
"""


def test_a_tablet_is_heard_with_the_option_and_not_without_it(
    tmp_path: Path, tiny_bundle: Path, environment: dict[str, str], jack_server: Any
) -> None:
    if subprocess.run([*SEPARATE, "true"], capture_output=True).returncode:
        pytest.skip("this system lets nobody make a network namespace: test_osc.py has the rules, not the network")
    (tmp_path / "house.py").write_text(HOUSE)
    (tmp_path / "tablet.py").write_text(TABLET)
    options = [
        [SILENT, "--osc", "9321"],
        [PATIENT, "--osc", "10.99.0.1:9321"],
        [PATIENT, "--osc", "0.0.0.0:9321", "--osc-from", "10.99.0.2"],
        [SILENT, "--osc", "0.0.0.0:9321", "--osc-from", "10.98.0.0/16"],
    ]
    result = subprocess.run(
        [*SEPARATE, sys.executable, "house.py", tiny_bundle, json.dumps(options)], cwd=tmp_path, text=True,
        capture_output=True, env={**os.environ, **environment, "JACK_DEFAULT_SERVER": jack_server.name}, timeout=240,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    alone, near, named, strange = json.loads(result.stdout)
    assert alone["heard"] == [] and alone["played"] == []
    assert "OSC on 127.0.0.1:9321. Ctrl-C" in alone["lines"][0]
    for told in (near, named):
        assert set(told["played"]) == {"/pitch"}
        assert {"/pong", "/speed", "/error"} <= set(told["heard"])  # a path player has no tempo
    assert "OSC on 10.99.0.1:9321 for 10.99.0.0/24, without a password." in near["lines"][0]
    assert "OSC on 0.0.0.0:9321 for 10.99.0.2/32, without a password." in named["lines"][0]
    assert any("OSC from 10.99.0.2 refused: There is no address /tempo" in line for line in near["lines"][1:])
    assert strange["heard"] == []
    assert any("OSC from 10.99.0.2 refused: it is not in 10.98.0.0/16" in line for line in strange["lines"][1:])
    assert not any(told["errors"] for told in (alone, near, named, strange))
