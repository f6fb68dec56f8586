"""Headless Chromium, driven by node scripts with the playwright-core of examples/web."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).resolve().parents[1] / "examples" / "web"


def program(name: str, package: str) -> str:
    """The path of a program. Without it a test fails: skipped, it would be forgotten."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed: run scripts/test-packages, or apt-get install {package}")
    return found


@cache
def site() -> Path:
    """examples/web with the packages of its lock file, installed if they are missing or of another version."""
    lock = json.loads((SITE / "package-lock.json").read_text())["packages"]
    for folder in ("node_modules/onnxruntime-web", "node_modules/playwright-core"):
        installed = SITE / folder / "package.json"
        if not installed.is_file() or json.loads(installed.read_text())["version"] != lock[folder]["version"]:
            command = [program("npm", "nodejs npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            result = subprocess.run(command, cwd=SITE, capture_output=True, text=True)
            assert result.returncode == 0, f"npm ci failed: {result.stderr}"
            break
    return SITE


def drive(script: Path, folder: Path, **job: object) -> dict[str, Any]:
    """Run a script that imports browser.mjs; returns the JSON in its last line. The browser's files go to a folder."""
    file = folder / "job.json"
    file.write_text(json.dumps({"site": str(site()), "chromium": program("chromium", "chromium"), **job}))
    command = [program("node", "nodejs npm"), script, file]
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    *_, last = result.stdout.rstrip("\n").split("\n")  # names may hold what str.splitlines takes for the end of a line
    found: dict[str, Any] = json.loads(last)
    return found
