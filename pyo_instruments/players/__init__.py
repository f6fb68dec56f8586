"""Pyo objects that play bundles: from Python, in a pyo script, or as the sound of an instrument.

Players: `hit_player` (one hit per trigger), `grain_player` (grains along paths), `morpher` (between two sounds),
`note_player` (held notes), `resynth` (an input played with a bundle's grains). Underneath: `port` and `engine_port`
hand sound from numpy to pyo, `inlet` hands it from pyo to numpy.
"""
