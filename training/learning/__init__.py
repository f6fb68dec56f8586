"""How the model learns, with Lightning.

`session` is `ngs train`; `plan` says which `phases` there are, and `trainer` runs them. A `phase` draws `batches`,
varied by `augmentation`, and minimises `losses`; `callbacks` watch it. `checkpoints` and `excerpts` are what is kept.
"""
