"""Time, all of it without pyo except the clock.

`clock`: the audio callback: what runs before each block. `timed_queue`: commands that wait for their frame. `preparer`:
a thread for what takes longer than a block. `transport`: the frames of steps. `midi_clock`: the tempo of MIDI ticks.
"""
