"""Training: sounds in, a two-level variational autoencoder out (Bitton, Esling, Harada, arXiv 2008.01393)."""
