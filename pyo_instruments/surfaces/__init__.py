"""Control surfaces, one for each way to play: OSC, MIDI, the computer's keys, and the text screen. None needs pyo."""
