"""How good a bundle sounds, which `ngs evaluate` measures.

`selection` decides which sounds, `evaluate` measures them, `quality_tables` and `drawn_tables` show the result. Real
sounds pass through the bundle in `rebuilding`: `distances` (over `spectra`), `levels`, `latents`, and the `baselines`
that any model has to beat. Whatever sound is measured on its own is a `profile` (over `descriptors`, and `envelope`:
crispness). Profiles of real and of made sounds are `compared`; in `sampling` they are named (`class_agreement`),
`told_apart`, and held against training sounds (`novelty`, `frechet`). Other sounds that the corpus plays are
measured in `transfers` (over `frames`, and `yin`: pitch) and shown by `transfer_tables`. `pairs` compares with another
system.
"""
