"""Resynthesis of a stream: any signal in, the same played with a bundle's grains out, at a constant latency.

`resynthesiser` does one channel, and `wet_dry` mixes it with its input. `resynthesiser_bank` plays several channels,
`crossfade` changes their bundle, and `resynthesis_engine` does all that live.
"""
