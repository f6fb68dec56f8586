"""Time: the clock of a pyo server (alone in needing pyo), its queue and its thread, steps, and MIDI's keys."""
