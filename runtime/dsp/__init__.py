"""Signal processing in numpy: `grains`, `locked_tones`, latent `paths`, `timbre`, and `audio_files`."""
