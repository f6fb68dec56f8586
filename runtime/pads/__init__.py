"""Pads: a sampler whose hits are made anew, each before it is triggered.

`pads` is the sampler, `settings` what can be set; `hits` says how a hit sounds, `hit_store` keeps those that are ready,
`hit_maker` makes them in a thread, `pad_player` plays them.
"""
