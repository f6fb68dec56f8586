"""Measures bundles: how good they sound (quality) and how fast they play (speed). Needs no torch."""
