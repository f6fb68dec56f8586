"""From a trained run to a bundle: ONNX graphs, and what proves them.

`run_to_bundle` is the whole way. `graphs` holds the modules that become ONNX, `dft` the transform they are made of,
`onnx_export` writes them. `encoding` encodes excerpts of the corpus once, for all that follows: `golden` computes the
vectors that every graph must reproduce, `corpus_map` the latent map.
"""
