"""The array type of signals, and of everything that goes into a graph or comes out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
