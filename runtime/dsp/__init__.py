"""Signal processing in numpy: `grains`, `locked_tones`, latent `paths`, `timbre`, `loudness`, and `audio_files`."""
