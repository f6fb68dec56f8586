"""Headless Chromium, driven by scripts for node with the playwright-core of examples/web."""

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
    """Path of a program; without it tests fail rather than pass unseen."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"Tests of pages need {name}: apt-get install {package} (scripts/test-packages)")
    return found


@cache
def site() -> Path:
    """examples/web with the packages of its lock file: installed where they are missing or of other versions."""
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
    """What a script that imports browser.mjs prints as JSON in its last line. The browser's files go into a folder."""
    file = folder / "job.json"
    file.write_text(json.dumps({"site": str(site()), "chromium": program("chromium", "chromium"), **job}))
    command = [program("node", "nodejs npm"), script, file]
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found
