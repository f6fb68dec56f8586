"""The latent map: grains, their places and sounds, contours, paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from ngs.corpus.sounds import SoundFile
from ngs.evaluation.quality.selection import Entry
from ngs.report.figure_files import save_figure
from ngs.report.latent_map import contours, document, latent_map
from ngs.report.map_figure import draw_map
from ngs.report.map_grains import Grains, chosen, corpus_grains, heard_grains, sound_grains
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.dsp.paths import KINDS, free_path, map_place
from ngs.runtime.offline.render import encode


@pytest.fixture(scope="module")
def bundle(exported_bundle: Path) -> Bundle:
    return Bundle.open(exported_bundle, "cpu")


def sound(bundle: Bundle, name: str, signal: Array, class_name: str | None) -> tuple[Entry, Array]:
    condition = bundle.condition({"class": class_name} if class_name else {})
    return Entry(SoundFile(Path(name), name, ()), class_name or "(none)", condition), signal


def hit(seconds: float, decay: float, seed: int = 0) -> Array:
    at = np.arange(round(8000 * seconds)) / 8000
    noise = np.random.default_rng(seed).uniform(-0.9, 0.9, len(at))
    return (noise * np.exp(-at / decay)).astype(np.float32)


def test_audible_grains_know_their_sound_and_time(bundle: Bundle) -> None:
    hop = bundle.manifest.hop_length
    long, short = hit(0.5, 9.0), hit(0.5, 0.02)
    grains = sound_grains(bundle, [sound(bundle, "long.wav", long, "Kick"), sound(bundle, "short.wav", short, None)])
    kicks = grains.owners == 0
    assert kicks.sum() == -(-len(long) // hop) and 0 < (~kicks).sum() < kicks.sum() / 2  # its end is inaudible
    np.testing.assert_array_equal(grains.latents[kicks], encode(bundle, long))
    np.testing.assert_allclose(grains.times[kicks], np.arange(kicks.sum()) * hop / 8000)
    classes = bundle.manifest.attributes[0].classes
    assert set(grains.labels[kicks]) == {classes.index("Kick")} and set(grains.labels[~kicks]) == {-1}
    with pytest.raises(ValueError, match="silent"):
        sound_grains(bundle, [sound(bundle, "faint.wav", 0.001 * long, "Kick")])


def test_a_long_sound_gives_no_more_grains_than_others(bundle: Bundle) -> None:
    grains = sound_grains(bundle, [sound(bundle, "long.wav", hit(20, 99), None)])
    assert len(grains.labels) == 64 and grains.times[0] == 0 and grains.times[-1] > 19.9
    assert np.diff(grains.times).max() < 0.5


def test_a_choice_takes_the_same_number_of_each_class() -> None:
    labels = np.repeat([0, 1, -1], [500, 20, 100])
    count = len(labels)
    grains = Grains(np.arange(count, dtype=np.float32)[:, None], labels, labels, np.zeros(count), ())
    few = grains.drawn(90, 3)
    assert [int((few.labels == label).sum()) for label in (0, 1, -1)] == [35, 20, 35]
    assert len(np.unique(few.latents)) == 90 and (np.diff(few.latents[:, 0]) > 0).all()
    np.testing.assert_array_equal(few.latents, grains.drawn(90, 3).latents)
    assert (few.latents != grains.drawn(90, 4).latents).any() and grains.drawn(count, 0) is grains


def test_a_place_is_that_of_the_live_instruments(bundle: Bundle) -> None:
    grains = corpus_grains(bundle)
    drawn = latent_map(bundle, grains, seed=5)
    np.testing.assert_array_equal(drawn.places, map_place(bundle.latent_map, bundle.latent_map["points"]))
    assert drawn.explained is not None
    x, y, both = drawn.explained
    assert 0.2 < x < both <= 1 and both == pytest.approx(x + y)
    louder = latent_map(bundle, grains[np.arange(20)], seed=5)  # timbre has the same floor, whatever grains are drawn
    np.testing.assert_array_equal(louder.places, drawn.places[:20])
    assert tuple(drawn.paths) == KINDS
    for number, (kind, path) in enumerate(drawn.paths.items()):
        latents = free_path(kind, len(path), 5 + number, bundle.latent_map)
        np.testing.assert_array_equal(path, map_place(bundle.latent_map, latents))
    written = document(bundle, drawn, 5)
    assert [path["seed"] for path in written["paths"]] == [5, 6, 7, 8, 9]
    assert written["points"][0]["class"] in written["classes"] and written["points"][0]["file"] is None
    assert written["explained_variance"] == {"x": x, "y": y, "both": both}


def test_umap_keeps_similar_grains_together(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    grains = corpus_grains(bundle)
    faint = np.argsort(np.abs(grains.latents).sum(axis=1))
    grains = grains[faint]
    twins = grains[np.repeat(np.arange(40) * (len(grains.labels) // 40), 2)]
    monkeypatch.setattr("ngs.report.latent_map.free_path", lambda kind, length, seed, of: twins.latents[:6])
    drawn = latent_map(bundle, twins, "umap")
    # a grain placed later lies where the same grain was placed before
    near = np.linalg.norm(drawn.paths["circle"] - drawn.places[:6], axis=1)
    assert near.max() < 0.1 * np.ptp(drawn.places, axis=0).max()
    assert drawn.explained is None and drawn.places.shape == (80, 2) and np.isfinite(drawn.places).all()
    apart = np.linalg.norm(drawn.places[::2] - drawn.places[1::2], axis=1)
    others = np.linalg.norm(drawn.places[::2] - drawn.places[[*range(3, 80, 2), 1]], axis=1)
    assert np.median(apart) < np.median(others) / 3
    draw_map(drawn, bundle.manifest.attributes[0], "UMAP")
    with pytest.raises(ValueError, match="UMAP needs 5 grains or more, there are 3"):
        latent_map(bundle, grains[np.arange(3)], "umap")


def test_an_unknown_projection_is_named(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="no projection 'tsne'; known: timbre, umap"):
        latent_map(bundle, corpus_grains(bundle), "tsne")


def test_the_axis_says_brighter_only_where_it_is_true(bundle: Bundle) -> None:
    drawn = latent_map(bundle, corpus_grains(bundle))
    assert drawn.brighter
    turned = Bundle.open(bundle.path, "cpu")
    turned.latent_map["components"][0] *= -1
    other = latent_map(turned, corpus_grains(turned))
    assert not other.brighter
    attribute = bundle.manifest.attributes[0]
    labels = [draw_map(each, attribute, "").axes[0].get_xlabel() for each in (drawn, other)]
    assert ["brighter" in label for label in labels] == [True, False]


def test_names_from_strangers_are_plain_text(bundle: Bundle, tmp_path: Path) -> None:
    drawn = latent_map(bundle, corpus_grains(bundle))
    names = ("$x^$", "_hidden", "a\nb", "x" * 300, r"$\frac{$", "f", "g", "h")
    figure = draw_map(drawn, Attribute("$kind$", names), r"\title $_{$")
    assert save_figure(figure, tmp_path / "map.png")
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()][:4] == ["$x^$", "_hidden", "a b", "x" * 27 + "…"]
    odd = draw_map(drawn, Attribute("kind", ("鼓", *names[1:])), "")
    assert not save_figure(odd, tmp_path / "map.png")  # returns that letters are missing, without a warning


def test_the_legend_says_how_many_classes_it_leaves_out(bundle: Bundle) -> None:
    grains = corpus_grains(bundle)
    labels = np.arange(len(grains.labels)) % 30
    many = Grains(grains.latents, labels, grains.owners, grains.times, ())
    figure = draw_map(latent_map(bundle, many), Attribute("kind", tuple(f"c{at}" for at in range(30))), "")
    assert figure.legends[0].get_title().get_text() == "kind (and 6 more)"


def test_sounds_are_chosen_from_each_class() -> None:
    def entries(name: str, count: int) -> list[Entry]:
        return [
            Entry(SoundFile(Path(f"{at}"), f"{name}/{at}", ()), name, np.zeros(1, np.float32)) for at in range(count)
        ]

    everything = entries("a", 50) + entries("b", 2)
    few = chosen(everything, 10, 0)
    assert [sum(entry.name == name for entry in few) for name in "ab"] == [5, 2]
    assert few == [entry for entry in everything if entry in few] and few != chosen(everything, 10, 1)
    assert len(chosen(everything, 1, 0)) == 2 and chosen(everything, 200, 0) == everything and chosen([], 5, 0) == []


def test_contours_enclose_half_and_most_of_the_points() -> None:
    rng = np.random.default_rng(0)
    places = np.concatenate((rng.normal(0, 1, (400, 2)), rng.normal((9, 0), 1, (400, 2))))
    lines = contours(places)
    assert len(lines) >= 4 and all(np.allclose(line[0], line[-1]) for line in lines)  # closed, around each group
    inside = np.sum([Outline(line).contains_points(places) for line in lines], axis=0)
    assert 0.75 < (inside >= 1).mean() < 0.95 and 0.4 < (inside >= 2).mean() < 0.7
    assert contours(places[:4]) == []
    assert all(np.isfinite(line).all() for line in contours(np.zeros((20, 2))))


def test_a_grain_is_heard_under_its_window(bundle: Bundle) -> None:
    grains = corpus_grains(bundle)[np.arange(6)]
    heard = heard_grains(bundle, grains, 0)
    assert heard.shape == (6, bundle.manifest.grain_length) and np.abs(heard).max(axis=1).min() > 1e-3
    np.testing.assert_allclose(heard[:, [0, -1]], 0, atol=2e-3)
    middle = np.abs(heard).argmax(axis=1) / bundle.manifest.grain_length
    assert (abs(middle - 0.5) < 0.35).all()
    # the neighbours of a grain do not change its sound
    other = heard_grains(bundle, corpus_grains(bundle)[np.array([0, 50, 2, 3, 4, 5])], 0)
    assert np.abs(other[1] - heard[1]).max() > 1e-3
