"""Bundles: what `ngs export` writes and everything else plays.

`bundle` opens one and runs its graphs; `writer` writes one. `manifest` says what is inside, in the parts of `specs`,
with the `signatures` that graphs must have; `fields` reads its JSON. `files` reads from the folder or the archive.
`session` makes onnxruntime sessions, after `graph_check` has looked at the graph (with
`onnx_fields` and `graph_sizes`). `golden` compares
with torch, `latent_map` checks the map of the corpus, `seeds` draws what a seed decides, and `graph_stream` runs a
graph with states, block by block.
"""
