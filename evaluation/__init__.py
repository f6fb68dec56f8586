"""How good a bundle is, in figures: reconstruction, latents, samples, baselines. numpy and onnxruntime, no torch."""
