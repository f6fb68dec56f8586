"""Every error that is expected is one line; what `drums` and numbers mean on a command line."""

from __future__ import annotations

import errno
from collections.abc import Callable

import click
import pytest

from ngs.runtime.console.guard import guarded


def failing(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (ValueError("a.ngs is damaged"), 1, "Error: a.ngs is damaged\n"),
        (ValueError("a.ngs:\n  is\x1b damaged\n"), 1, "Error: a.ngs: is? damaged\n"),
        (OSError(errno.ENOENT, "No such file or directory", "a\nb"), 1, "Error: a b cannot be used: No such"),
        (OSError(errno.ENOSPC, "No space left on device", "a.wav"), 1, "a.wav cannot be used: No space left on device"),
        (OSError("the disk is full"), 1, "Error: the disk is full\n"),
        (ModuleNotFoundError("No module named 'pyo'", name="pyo"), 1, "pip install '.[live]'"),
        (ModuleNotFoundError("No module named 'umap'", name="umap.plot"), 1, "pip install '.[umap]'"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 1, "pip install '.[train]'"),
        (
            ImportError("libjack.so.0 is missing\n(in pyo)", name="other"),
            1,
            "Error: libjack.so.0 is missing (in pyo)\n",
        ),
        (ImportError("cannot import name 'a'", name="ngs.runtime"), 1, "Error: cannot import name 'a'\n"),
        (click.UsageError("Name a file"), 2, "Error: Name a file\n"),
        (KeyboardInterrupt(), 130, "Stopped.\n"),
        (click.Abort(), 130, "Stopped.\n"),
    ],
)
def test_an_error_is_one_line(
    error: BaseException, status: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["ngs"])
    monkeypatch.delenv("NGS_DEBUG", raising=False)
    with pytest.raises(SystemExit) as stopped:
        guarded(click.command()(failing(error)))
    printed = capsys.readouterr()
    assert stopped.value.code == status and printed.out == ""
    assert said in printed.err and "Traceback" not in printed.err
    assert len([line for line in printed.err.splitlines() if line]) == 1 or status == 2


@pytest.mark.parametrize("error", [ValueError("damaged"), OSError("damaged"), ImportError("damaged", name="torch")])
def test_a_traceback_on_request(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["ngs"])
    monkeypatch.setenv("NGS_DEBUG", "1")
    with pytest.raises(type(error), match="damaged"):
        guarded(click.command()(failing(error)))
