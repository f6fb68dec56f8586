"""Signal processing in numpy: `grains`, `locked_tones`, latent `paths`, `timbre`, `loudness`, `audio_files` and their `sound_reader`."""
