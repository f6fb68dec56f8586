"""A mistyped command, form or instrument is met with the nearest one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ngs.runtime.console.suggestions import did_you_mean


@pytest.mark.parametrize(
    ("word", "nearest"),
    [("rendr", "render"), ("RENDER", "render"), ("spectogram", "spectrogram"), ("maps", "map"), ("xyzzy", None)],
)
def test_the_nearest_word(word: str, nearest: str | None) -> None:
    said = did_you_mean(word, ["train", "render", "map", "spectrogram"])
    assert said == (f" Did you mean {nearest!r}?" if nearest else "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rendr", "loop"], "There is no command 'rendr'. Did you mean 'render'?"),
        (["xyzzy"], "There is no command 'xyzzy'."),
        (["render", "smaple"], "Did you mean 'sample'? If it is a bundle, name a form after it"),
        (["render", "mine.ngs", "smaple"], "(reconstruct, resynth, sample, vary, path, morph, loop). "
                                           "Did you mean 'sample'?"),
        (["play", "keybord"], "Did you mean 'keyboard'?"),
    ],
)  # fmt: skip
def test_commands_forms_and_instruments(arguments: list[str], said: str) -> None:
    command = [sys.executable, "-c", "from ngs.cli.main import main; main()", *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.splitlines()[-1].endswith(said), result.stderr
