"""Rendering whole sounds: lengths, seeds, batches, and silence."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.dsp.grains import noise_grains, overlap_add
from ngs.runtime.dsp.locked_tones import HAS_FFT32
from ngs.runtime.offline import render

HOP, LENGTH = 64, 256
BATCH = render.BATCH_SAMPLES // LENGTH


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


def sound(samples: int) -> Array:
    return np.random.default_rng(samples).uniform(-0.5, 0.5, samples).astype(np.float32)


@pytest.mark.parametrize("samples", [1, HOP, 1000, 70 * LENGTH + 7])
def test_resynthesis_has_the_length_of_its_input(bundle: Bundle, samples: int) -> None:
    result = render.reconstruct(bundle, sound(samples), bundle.condition({}), 0)
    assert result.shape == (samples,) and result.dtype == np.float32
    assert np.isfinite(result).all() and np.abs(result).max() < 1


def test_a_long_sound_takes_memory_for_itself_and_not_for_all_its_grains(bundle: Bundle) -> None:
    signal = sound(4_000_000)
    render.reconstruct(bundle, signal[:LENGTH], bundle.condition({}), 0)
    tracemalloc.start()
    render.reconstruct(bundle, signal, bundle.condition({}), 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * signal.nbytes


def stepped(bundle: Bundle, path: Array, condition: render.Array, seed: int) -> render.Array:
    """Grains [G, L] as a host makes them: a hop in each call, with the state carried on."""
    names = [[spec.name for spec in bundle.manifest.graphs[graph].outputs] for graph in ("decoder", "synthesis")]
    states = [spec.name for spec in bundle.manifest.graphs["synthesis"].states]
    handed = {name: np.zeros((1, LENGTH // 2 + 1), np.float32) for name in states}
    grains = []
    for grain, noise in enumerate(noise_grains(seed, len(path), LENGTH)):
        values = bundle.run("decoder", latent=path[grain : grain + 1], condition=condition[None])
        frame = dict(zip(names[0], values, strict=True))
        if "onset" in [spec.name for spec in bundle.manifest.graphs["synthesis"].inputs]:  # in format 3
            frame["onset"] = np.full((1, 1), grain == 0, np.float32)
        elif handed and grain == 0:
            given = {"latent": path[:1], "condition": condition[None], "noise": noise[None].copy()}
            made = dict(zip(("grain", "next_phase"), bundle.run("onset", **given), strict=True))
            grains.append(made["grain"][0])
            handed = {"phase": made["next_phase"]}
            continue
        outputs = bundle.run("synthesis", **frame, **handed, noise=noise[None].copy())
        made = dict(zip(names[1], outputs, strict=True))
        grains.append(made["grain"][0])
        handed = {state: made[f"next_{state}"] for state in states}
    return np.stack(grains)


def hop_by_hop(bundle: Bundle, path: Array, condition: Array, seed: int) -> Array:
    """The sound [n] of these grains."""
    signal = overlap_add(stepped(bundle, path, condition, seed), tail=True)
    delayed = np.concatenate((np.zeros(16, np.float32), signal))[: len(signal)]  # the fixture's filter
    filtered = signal + 0.25 * delayed
    sound: Array = filtered / (1 + np.abs(filtered))
    return sound


def walk(grains: int) -> Array:
    return np.random.default_rng(0).standard_normal((grains, 4)).astype(np.float32)


@pytest.mark.parametrize("grains", [1, 5, BATCH, BATCH + 1, 3 * BATCH])
@pytest.mark.parametrize("kind", ["tiny_bundle", "tiny_noise", "tiny_older"])
def test_decoding_in_batches_is_decoding_hop_by_hop(kind: str, grains: int, request: pytest.FixtureRequest) -> None:
    bundle = Bundle.open(request.getfixturevalue(kind), "cpu")
    path, condition = walk(grains), bundle.condition({"class": "Hat"})
    result = render.decode(bundle, path, condition, 5)
    assert len(result) == (grains + 3) * HOP
    np.testing.assert_allclose(result, hop_by_hop(bundle, path, condition, 5), atol=1e-5)
    np.testing.assert_array_equal(render.decode(bundle, path, condition, 5, tail=False), result[: grains * HOP])


@pytest.mark.skipif(not HAS_FFT32, reason="numpy 1 fills nothing")
@pytest.mark.parametrize("grains", [1, 5, BATCH + 1])
def test_what_numpy_fills_is_what_the_graph_gives_hop_by_hop(tiny_filled: Path, grains: int) -> None:
    """The first grain, which numpy leaves to a graph, included."""
    bundle = Bundle.open(tiny_filled, "cpu")
    assert bundle.filling is not None
    path, condition = walk(grains), bundle.condition("Hat")
    result = render.decode(bundle, path, condition, 5)
    assert np.abs(result).max() > 0.01
    np.testing.assert_allclose(result, hop_by_hop(bundle, path, condition, 5), atol=1e-5)


def test_every_sound_starts_its_own_phases(bundle: Bundle) -> None:
    path, condition = np.ones((9, 4), np.float32), bundle.condition({"class": "Hat"})
    first = render.decode(bundle, path, condition, 1)
    render.decode(bundle, -path, condition, 2)
    np.testing.assert_array_equal(render.decode(bundle, path, condition, 1), first)


def test_a_condition_for_each_grain(bundle: Bundle) -> None:
    path = np.random.default_rng(1).standard_normal((9, 4)).astype(np.float32)
    kick, hat = bundle.condition({"class": "Kick"}), bundle.condition({"class": "Hat"})
    changing = render.decode(bundle, path, np.stack([kick] * 5 + [hat] * 4), 1)
    steady = render.decode(bundle, path, kick, 1)
    np.testing.assert_allclose(changing[: 5 * HOP], steady[: 5 * HOP], atol=1e-6)
    assert not np.allclose(changing[5 * HOP :], steady[5 * HOP :])


def test_the_seed_decides(bundle: Bundle) -> None:
    path, condition = np.ones((9, 4), np.float32), bundle.condition({})
    first = render.decode(bundle, path, condition, 1)
    np.testing.assert_array_equal(first, render.decode(bundle, path, condition, 1))
    assert not np.allclose(first, render.decode(bundle, path, condition, 2))


def test_the_condition_is_heard(bundle: Bundle) -> None:
    path = np.ones((9, 4), np.float32)
    kick, snare = (render.decode(bundle, path, bundle.condition({"class": name}), 1) for name in ("Kick", "Snare"))
    assert not np.allclose(kick, snare)


def test_silence_stays_silence(bundle: Bundle) -> None:
    silence = np.zeros(1000, np.float32)
    assert not render.reconstruct(bundle, silence, bundle.condition({}), 0).any()
    assert render.trim_tail(silence, HOP).shape == (HOP,)


def test_no_grains_are_no_samples(bundle: Bundle) -> None:
    assert render.encode(bundle, np.zeros(0, np.float32)).shape == (0, 4)
    assert render.decode(bundle, np.zeros((0, 4), np.float32), bundle.condition({}), 0).shape == (0,)


def test_embedding_crops_and_pads(bundle: Bundle) -> None:
    condition, whole = bundle.condition({}), sound(8 * HOP)
    long = np.concatenate((whole, sound(999)))
    np.testing.assert_array_equal(render.embed(bundle, long, condition), render.embed(bundle, whole, condition))
    short = whole[: 3 * HOP]
    padded = np.concatenate((short, np.zeros(5 * HOP, np.float32)))
    np.testing.assert_array_equal(render.embed(bundle, short, condition), render.embed(bundle, padded, condition))


def test_a_duration_includes_its_tail(bundle: Bundle) -> None:
    assert (render.grains_for(1.0, bundle) + 3) * HOP == 8000
    assert render.grains_for(0.001, bundle) == 1


def test_a_free_path_has_no_onset(bundle: Bundle) -> None:
    path = np.repeat(np.random.default_rng(0).standard_normal((1, 4)).astype(np.float32), 60, axis=0)
    played = render.play_path(bundle, path, bundle.condition({}), 0)
    assert played.shape == ((60 + 3) * HOP,) and played[0] == 0
    levels = np.sqrt((played[: 60 * HOP].reshape(-1, 4 * HOP) ** 2).mean(1))
    assert 0.5 < levels[1] / levels[2:].mean() < 2
    np.testing.assert_array_equal(played, render.play_path(bundle, path, bundle.condition({}), 0))
