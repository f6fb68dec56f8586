"""The figures of docs/how-it-works.md that show sounds, grains and paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from style import BLUE, CLASSES, GREEN, GREY, INK, ORANGE, PALE, VERMILION, figure, wave

from ngs.runtime import Bundle
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.seeds import drawn_embedding
from ngs.runtime.dsp.grains import hann, noise_grains, onset_window, slice_grains
from ngs.runtime.dsp.locked_tones import Phases
from ngs.runtime.dsp.paths import KINDS, free_path, map_place
from ngs.runtime.offline.render import decode, sample

SHOWN_GRAINS = 6
SHOWN_GRAIN = 2  # the number of the grain of a cowbell
LOWEST_BIN = 10  # about 100 Hz
ALTERNATING = (BLUE, ORANGE, GREEN, VERMILION)
PARTS = {"tones": BLUE, "noise": ORANGE, "both": INK}
TRIED_SEEDS = 100  # of a free path; shown is the one that stays on the map and goes furthest


def idea(bundle: Bundle) -> Figure:
    """Classic granular synthesis beside this one: the nearest grains of a corpus, or any place in a latent space."""
    places = map_place(bundle.latent_map, bundle.latent_map["points"])[::8]
    share = np.linspace(0, 1, 60)
    wanted = np.stack((0.12 + 0.78 * share, 0.5 + 0.3 * np.sin(1.6 * np.pi * share)), 1)
    nearest = np.linalg.norm(places[None] - wanted[:, None], axis=2).argmin(1)
    played = places[nearest[np.concatenate(([True], np.diff(nearest) != 0))]]
    drawn = figure(3.5)
    axes = drawn.subplots(1, 2, sharex=True, sharey=True)
    (left, bottom), (right, top) = _limits(places)
    for ax, title in zip(axes, ("a corpus: the nearest grains", "a latent space: any place"), strict=True):
        ax.plot(*places.T, "+", color=PALE, markersize=7)
        ax.set(title=title, xticks=[], yticks=[], xlim=(left, right), ylim=(bottom, top))
    axes[0].plot(*wanted.T, "--", color=GREY, linewidth=1.4)
    axes[0].plot(*played.T, "-o", color=VERMILION, linewidth=1.2, markersize=5)
    axes[1].plot(*wanted.T, "-o", color=BLUE, linewidth=1.2, markersize=4)
    axes[0].set(xlabel="descriptor 1", ylabel="descriptor 2")
    axes[1].set(xlabel="axis 1", ylabel="axis 2")
    return drawn


def grains(bundle: Bundle) -> Figure:
    """A sound, its windowed grains, and the sum of the windows."""
    length, hop, rate = bundle.manifest.grain_length, bundle.manifest.hop_length, bundle.manifest.sample_rate
    sound = sample(bundle, bundle.condition("Crash"), 1.0, seed=1, index=0)
    seconds = (SHOWN_GRAINS + 3) * hop / rate
    drawn = figure(6.6)
    upper, middle, lower = drawn.subplots(3, 1, sharex=True, height_ratios=(1.2, 2.3, 1.2))
    wave(upper, sound[: int(seconds * rate)], rate, GREY)
    total = np.zeros((SHOWN_GRAINS + 3) * hop)
    peak = float(np.abs(sound).max())
    for number, cut in enumerate(slice_grains(sound, length)[:SHOWN_GRAINS]):
        colour, start = ALTERNATING[number % 4], number * hop / rate
        window = hann(length) if number else onset_window(length)
        time = start + np.arange(length) / rate
        upper.plot(time[::64], peak * window[::64], color=colour, linewidth=1.6)
        wave(middle, cut * window / peak, rate, colour, start, offset=-1.4 * number, columns=160)
        lower.plot(time[::64], window[::64], color=colour, linewidth=1.2)
        total[number * hop : number * hop + length] += window
    lower.plot(np.arange(len(total))[::64] / rate, total[::64], color=INK, linewidth=2, label="sum")
    lower.legend(loc="upper right", frameon=False)
    upper.set(title=f"a crash and its windows: length L = {length}, hop {hop}", yticks=[])
    middle.set(title="its grains, windowed", yticks=[], ylabel="grain")
    middle.set_yticks([-1.4 * number for number in range(SHOWN_GRAINS)], [str(n) for n in range(SHOWN_GRAINS)])
    lower.set(title="windows and their sum", xlabel="seconds", xlim=(0, seconds), ylim=(0, 2.3))
    return drawn


def grain(bundle: Bundle) -> Figure:
    """One decoded grain: which bins are tones, which are noise, and what they sound like."""
    rate, length = bundle.manifest.sample_rate, bundle.manifest.grain_length
    frame = max((_cowbell(bundle, seed) for seed in range(20)), key=_mixture)
    drawn = figure(6.3)
    upper, lower = drawn.subplots(2, 1, height_ratios=(1.5, 1.6))
    _draw_magnitudes(upper, frame["magnitude"][SHOWN_GRAIN], rate)
    heard = _filled(bundle, frame)
    peak, time = float(np.abs(heard["both"]).max()), 1e3 * np.arange(length) / rate
    for row, (name, signal) in enumerate(heard.items()):
        lower.plot(time[::4], signal[::4] / peak - 2.1 * row, color=PARTS[name], linewidth=1)
    lower.set_yticks([-2.1 * row for row in range(3)], list(heard))
    lower.set(title="the grain, windowed: tones, noise, both", xlabel="milliseconds", xlim=(0, 1e3 * length / rate))
    return drawn


def _draw_magnitudes(spectrum: Axes, magnitude: Array, rate: int) -> None:
    """Magnitudes [bins] in dB over frequency, those of noise and those of tones in their colours."""
    hz = np.fft.rfftfreq(2 * (len(magnitude) - 1), 1 / rate)
    decibels = 20 * np.log10(np.abs(magnitude) + 1e-4)
    for name, chosen, width in (("noise", magnitude < 0, 1.3), ("tones", magnitude > 0, 1.8)):
        chosen = chosen & (hz > 60)
        spectrum.vlines(hz[chosen], -50, decibels[chosen], color=PARTS[name], linewidth=width, rasterized=True)
        spectrum.plot([], [], color=PARTS[name], linewidth=4, label=name)
    spectrum.set_xscale("log")
    spectrum.set_xticks([100, 300, 1000, 3000, 10000], ["100", "300", "1k", "3k", "10k"])
    spectrum.minorticks_off()
    spectrum.set(title="decoded magnitudes of a cowbell's third grain", xlabel="Hz", ylabel="dB", xlim=(60, rate / 2))
    spectrum.set_ylim(-50, float(decibels.max()) + 5)
    spectrum.legend(loc="upper right", frameon=False)


def _filled(bundle: Bundle, frame: dict[str, Array]) -> dict[str, Array]:
    """The shown grain, windowed, filled with its tones only, its noise only, and both."""
    magnitude, length = frame["magnitude"], bundle.manifest.grain_length
    state = {
        "noise": np.ascontiguousarray(noise_grains(0, len(magnitude), length)),
        "phase": Phases(np.zeros_like(magnitude[0])).before(frame["peak"], frame["advance"]),
    }
    parts = {"tones": np.maximum(magnitude, 0), "noise": np.minimum(magnitude, 0), "both": magnitude}
    return {
        name: bundle.run("synthesis", **(frame | state | {"magnitude": part}))[0][SHOWN_GRAIN] * hann(length)
        for name, part in parts.items()
    }


def latent_map(bundle: Bundle) -> Figure:
    """The corpus on its map by class, then a free path of each kind."""
    kept = bundle.latent_map
    places, labels = map_place(kept, kept["points"]), kept["labels"][:, 0]
    drawn = figure(8.6)
    panels = drawn.subplots(3, 2, sharex=True, sharey=True).ravel()
    (left, bottom), (right, top) = _limits(places)
    for label, name in enumerate(bundle.manifest.attributes[0].classes):
        own = places[labels == label]
        panels[0].plot(*own.T, ".", color=CLASSES[label % 8], markersize=3, rasterized=True)
        panels[0].plot([], [], "o", color=CLASSES[label % 8], label=name)
    panels[0].set(title="grains of the corpus", xlim=(left, right), ylim=(bottom, top + 0.55 * (top - bottom)))
    panels[0].legend(
        loc="upper left", frameon=False, ncols=2, columnspacing=0.5, handletextpad=0.1, borderaxespad=0, fontsize=10.5
    )
    for panel, kind in zip(panels[1:], KINDS, strict=True):
        panel.plot(*places.T, ".", color=PALE, markersize=3, rasterized=True)
        _draw_path(panel, kind, _widest(kept, kind))
    for panel in panels:
        panel.set(xticks=[], yticks=[])
    drawn.supxlabel("first axis", fontsize=12)
    drawn.supylabel("second axis", fontsize=12)
    return drawn


def _draw_path(panel: Axes, kind: str, path: NDArray[np.float64]) -> None:
    panel.plot(*path.T, "-", color=BLUE, linewidth=1.5)
    panel.plot(*path.T, ".", color=BLUE, markersize=4)
    panel.plot(*path[0], "o", color=VERMILION, markersize=8)
    panel.set(title=kind)
    if kind in ("linear", "back-and-forth"):  # both are the same line; the inset tells them apart
        small = panel.inset_axes((0.09, 0.78, 0.5, 0.2), xticks=[], yticks=[])
        small.plot(np.linalg.norm(path - path[0], axis=1), color=BLUE, linewidth=1.5)
        small.set_xlabel("distance by grain", fontsize=10.5, labelpad=2)


def embedding(bundle: Bundle) -> Figure:
    """The numbers of an embedding, the path they decode to, and its sound."""
    manifest, kept = bundle.manifest, bundle.latent_map
    rate, hop = manifest.sample_rate, manifest.hop_length
    condition = bundle.condition("Ride")
    drawn_e = drawn_embedding(bundle, condition, 1.0, 3)
    path = bundle.run("embedding_decoder", embedding=drawn_e[None], condition=condition[None])[0][0]
    sound = decode(bundle, path, condition, seed=3)[: len(path) * hop]
    seconds = len(path) * hop / rate
    drawn = figure(7.2)
    bars, lines, picture = drawn.subplots(3, 1, height_ratios=(1, 1.4, 1.6))
    bars.bar(np.arange(1, len(drawn_e) + 1), drawn_e, color=VERMILION)
    bars.axhline(0, color=GREY, linewidth=0.8)
    bars.set(title=f"an embedding: {len(drawn_e)} numbers", xlim=(0, len(drawn_e) + 1))
    along = (path - kept["mean"]) @ kept["components"].T / np.sqrt(kept["explained_variance"])
    time = np.arange(len(path)) * hop / rate
    for component, (colour, style) in enumerate(((BLUE, "-"), (ORANGE, "--"), (GREEN, ":"))):
        lines.plot(time, along[:, component], style, color=colour, linewidth=2, label=str(component + 1))
    lines.legend(loc="upper right", frameon=False, ncols=3, title="axis")
    lines.set_ylim(top=float(along[:, :3].max()) + 0.4)  # room for the legend
    lines.set(
        title=f"its path: {len(path)} grains, along three axes of the map", xlim=(0, seconds), ylabel="std. deviations"
    )
    _draw_spectrogram(picture, sound, rate, seconds)
    return drawn


def _draw_spectrogram(picture: Axes, sound: Array, rate: int, seconds: float) -> None:
    window = hann(1024)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound, 512), 1024)[::512] * window
    power = 10 * np.log10((np.abs(np.fft.rfft(frames)[:, :512]) ** 2).reshape(len(frames), 128, 4).mean(2) + 1e-6)
    top = float(power.max())
    picture.imshow(
        power.T, origin="lower", aspect="auto", extent=(0, seconds, 0, rate / 2000), vmin=top - 80, vmax=top,
        cmap="magma", interpolation="none",
    )  # fmt: skip
    picture.set(title="its sound", xlabel="seconds", ylabel="kHz", ylim=(0, 20))


def _widest(latent_map: Mapping[str, NDArray[Any]], kind: str) -> NDArray[np.float64]:
    """The path of a kind that shows it best among those of TRIED_SEEDS seeds: places on the map [120, 2]."""
    paths = [map_place(latent_map, free_path(kind, 120, seed, latent_map)) for seed in range(TRIED_SEEDS)]
    return max(paths, key=lambda path: float(np.ptp(path, axis=0).min() - ((path < 0.003) | (path > 0.997)).mean()))


def _limits(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lower left and the upper right corner of a frame around nearly all places [N, 2]: [2, 2]."""
    return np.percentile(places, (0.3, 99.7), axis=0) + np.array([[-0.05], [0.05]])


def _cowbell(bundle: Bundle, seed: int) -> dict[str, Array]:
    """What the decoder makes of the first grains of a sampled cowbell: its outputs by name."""
    condition = bundle.condition("Cowbell")[None]
    embedding = drawn_embedding(bundle, condition[0], 1.0, seed)[None]
    latent = bundle.run("embedding_decoder", embedding=embedding, condition=condition)[0][0, : SHOWN_GRAIN + 1]
    values = bundle.run("decoder", latent=latent, condition=np.repeat(condition, len(latent), axis=0))
    return dict(zip((tensor.name for tensor in bundle.manifest.graphs["decoder"].outputs), values, strict=True))


def _mixture(frame: dict[str, Array]) -> float:
    """How well the shown grain has both tones and noise: the smaller of their shares of its energy."""
    magnitude = frame["magnitude"][SHOWN_GRAIN, LOWEST_BIN:].astype(np.float64)
    tones = float(np.square(np.maximum(magnitude, 0)).sum() / np.square(magnitude).sum())
    return min(tones, 1 - tones)
