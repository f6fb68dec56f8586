"""Neural granular sound synthesis: train on a folder of sounds, export an ONNX bundle, play it."""

import os

__version__ = "0.1.0"

if os.path.isfile(os.path.join(__path__[0], "runtime")):  # a checkout without symbolic links has text files instead
    raise ImportError("this checkout of ngs has no symbolic links: run scripts/setup, which says what to do")
