"""See and hear a bundle: its latent map, and a page of sound examples."""
