"""The next part of a pool, drawn by a thread while training goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Part = tuple[Tensor, Tensor, np.ndarray]  # paths [n, T, Z], loudness [n, T], sounds [n]


class PartAhead:
    """Draws part `number` in a thread of its own: `draw(number, moved_on)` calls `moved_on` with how much is done."""

    def __init__(
        self, number: int, draw: Callable[[int, Callable[[int], None]], Part], progress: Callable[[int], None]
    ) -> None:
        self.number, self._draw, self._progress = number, draw, progress
        self._part: Part | None = None
        self._error: BaseException | None = None
        self._unwanted = threading.Event()
        self._thread = threading.Thread(target=self._work, name="next part of the pool", daemon=True)
        self._thread.start()

    def result(self) -> Part:
        """The part, once it is drawn. Raises what drawing it raised."""
        self._thread.join()
        if self._error:
            raise self._error
        assert self._part is not None
        return self._part

    def abandon(self) -> None:
        """Stop drawing, and wait until it has stopped."""
        self._unwanted.set()
        self._thread.join()

    def _work(self) -> None:
        torch.set_num_threads(1)  # of this thread only: the others are for training
        try:
            with torch.no_grad():
                self._part = self._draw(self.number, self._moved_on)
        except BaseException as error:  # for the thread that waits
            self._error = error

    def _moved_on(self, done: int) -> None:
        if self._unwanted.is_set():
            raise _Unwanted
        self._progress(done)


class _Unwanted(Exception):
    """Raised where a part is drawn that nobody waits for any more."""
