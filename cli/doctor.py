"""`ngs doctor`."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import click

from ngs.cli.probes.finding import BROKEN, STATUSES, Finding
from ngs.cli.probes.probes import PROBES, failed


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def doctor(as_json: bool) -> None:
    """Check what works on this machine, and say what to do about the rest.

    Looks at the libraries that ngs uses, CUDA, audio and MIDI devices, JACK and real-time limits. Each is ok, note
    (good to know), missing (it is optional) or broken. Only what is broken keeps ngs from rendering; then the exit
    status is 1.

    \b
    Example:
      ngs doctor
    """
    findings = _examine()
    broken = [name for name, finding in findings.items() if finding.status == BROKEN]
    if as_json:
        checks = {name.lower().replace(" ", "_"): asdict(finding) for name, finding in findings.items()}
        click.echo(json.dumps({"renders": not broken, "checks": checks}, indent=2))
    else:
        statuses = max(map(len, STATUSES)) + 2
        names = max(map(len, findings)) + 2
        for name, finding in findings.items():
            text = finding.found + (f". {finding.advice}" if finding.advice else "")
            indented = text.replace("\n", "\n" + " " * (statuses + names))
            click.echo(f"{finding.status:<{statuses}}{name:<{names}}{indented}")
        if not broken:
            click.echo("ngs renders on this machine.")
    if broken:
        click.echo(f"Error: ngs cannot render on this machine: {', '.join(broken)}", err=True)
        sys.exit(1)


def _examine() -> dict[str, Finding]:
    """Run all probes at once, each in a process: none suffers from what another prints, or when it crashes or hangs."""
    start = time.monotonic()
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        findings = {}
        for name in PROBES:
            command = [sys.executable, "-P", "-m", "ngs.cli.probes", name]
            try:
                processes[name] = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
            except OSError as error:
                findings[name] = failed(name, f"cannot be examined: {sys.executable}: {error.strerror}")
        for name, process in processes.items():
            findings[name] = _finding(name, process, start + PROBES[name].limit_seconds)
        return {name: findings[name] for name in PROBES}
    finally:
        for process in processes.values():
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # a process that hangs in a driver cannot be killed
                process.communicate(timeout=1)


def _finding(name: str, process: subprocess.Popen[bytes], deadline: float) -> Finding:
    try:
        output, _ = process.communicate(timeout=max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return failed(name, f"no answer within {PROBES[name].limit_seconds:.0f} s")
    try:
        return Finding(**json.loads(output))
    except (ValueError, TypeError):
        code = process.returncode
        end = signal.strsignal(-code) if code < 0 else f"exit status {code}"
        return failed(name, f"crashes when it is tried ({end})")
