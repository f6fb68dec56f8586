"""See and hear a bundle: a page of sound examples (`ngs report`), and its latent map (`ngs map`).

The page: `build` is the whole way. `sounds` reads the corpus once, `examples` plays, `sections` orders the examples,
`players` writes their files, `page_map` is the map, `curves` are those of training. All of it is a value of
`page_model`, which `page` writes as HTML; `svg` is the geometry of its drawings, `output_folder` where it goes.

The map: `map_grains` finds grains, `latent_map` places them, `map_figure` draws them with matplotlib. `spectrogram` and
`figure_files` serve `ngs spectrogram` as well.
"""
