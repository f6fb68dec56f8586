"""Export: a trained run to an ONNX bundle, every graph verified against torch before the bundle gets its name."""
