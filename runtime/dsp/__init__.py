"""Signal processing in numpy: `grains` and their `excitation`, latent `paths`, `timbre`, and `audio_files`."""
