"""How fast a bundle plays on this machine, which `ngs bench` measures.

`speed` measures everything, `live_speed` what plays live, `products` the matrix products alone; `timing` is the clock,
`speed_tables` shows the result.
"""
