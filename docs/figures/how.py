"""Draws the figures of docs/how-it-works.md: `python docs/figures/how.py docs/images`.

They show the bundle that comes with ngs, and history.jsonl beside this file. Each run writes the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import how_diagrams
import how_sounds
import how_stages
from matplotlib.figure import Figure
from style import save

from ngs.runtime import Bundle

FIGURES: dict[str, Callable[[Bundle], Figure]] = {
    "how-idea.svg": how_sounds.idea,
    "how-grains.svg": how_sounds.grains,
    "how-grain-vae.svg": how_diagrams.grain_vae,
    "how-grain.svg": how_sounds.grain,
    "how-map.png": how_sounds.latent_map,
    "how-embedding-vae.svg": how_diagrams.embedding_vae,
    "how-embedding.svg": how_sounds.embedding,
    "how-stages.svg": how_stages.stages,
    "how-live.svg": how_diagrams.live,
}


def main(folder: Path) -> None:
    bundle = Bundle.open(provider="cpu")
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        save(draw(bundle), folder / name)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name the folder to write to: python docs/figures/how.py docs/images")
    main(Path(sys.argv[1]))
