"""Neural granular sound synthesis: train on a folder of sounds, export an ONNX bundle, play it."""

__version__ = "0.1.0"
