"""Where an instrument plays: `ngs play`'s options and performance, the audio server, recordings, event logs."""
