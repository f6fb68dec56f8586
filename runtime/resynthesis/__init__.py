"""Resynthesis of a stream: any signal in, the same played with a bundle's grains out, at a constant latency.

`resynthesiser` does one channel, `wet_dry` mixes it with its input, `crossfade` plays several channels and changes
their bundle, `resynthesis_engine` does all that live.
"""
