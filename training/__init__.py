"""Training: sounds in, a two-level variational autoencoder out (Bitton, Esling, Harada, arXiv 2008.01393).

`config` and `run_folder` know no torch. `model` is the paper's section 3 in torch, `learning` trains it, `presets` are
settings to start from, and `published_decoder` is the paper's own decoder, to measure speed against.
"""
