"""How good a bundle sounds, which `ngs evaluate` measures.

`selection` decides which sounds, `evaluate` measures them, `quality_tables` shows the result. What is measured:
`distances` (over `spectra`), `envelope` (crispness), `latents`, `class_agreement` and `frechet` (over `descriptors`).
`baselines` are what any model has to beat; `pairs` compares with another system.
"""
