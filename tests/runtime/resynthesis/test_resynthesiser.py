"""Streaming resynthesis equals the offline one, `latency` later, for any blocks and rates."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soxr
from tests.runtime.laws import (
    BLOCKS,
    an_impulse_arrives_at_the_latency,
    chunked_equals_whole_and_reset_equals_fresh,
    in_blocks,
    in_place_equals_apart,
    silence_stays_silent,
)
from tests.tiny import HOP, LENGTH, write_tiny

from ngs.runtime import Bundle, Resynthesiser
from ngs.runtime.arrays import Array
from ngs.runtime.dsp.grains import hann, onset_window
from ngs.runtime.offline.render import reconstruct, resynthesise

RATES = (16000, 22050, 44100)
HOST_RATES = (None, 8000, 44100, 48000)


@pytest.fixture(scope="module", params=[*((rate, 4) for rate in RATES), (22050, 3)], ids="{0[0]} format {0[1]}".format)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    rate, version = request.param
    path = tmp_path_factory.mktemp("bundle") / "a.ngs"
    return Bundle.open(write_tiny(path, sample_rate=rate, version=version), "cpu")


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


def signal(samples: int) -> Array:
    return np.random.default_rng(0).uniform(-1, 1, samples).astype(np.float32)


def played(stream: Resynthesiser, samples: Array, block: int = 1 << 20) -> Array:
    """What a stream plays for samples [n], in blocks: [n]."""
    return in_blocks(stream, samples[None], block)[0]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("style", [0.0, 0.3, 1.0])
def test_it_equals_the_offline_resynthesis_later(bundle: Bundle, block: int, style: float) -> None:
    given = signal(3000)
    known = style if bundle.manifest.has_style else 0.0  # format 3 has no other
    offline = resynthesise(bundle, given, bundle.condition({"class": "Hat"}), known, seed=3)[:3000]
    stream = Resynthesiser(bundle, {"class": "Hat"}, seed=3)
    stream.set(style=style)
    assert stream.latency == LENGTH - 1
    live = played(stream, np.concatenate((given, np.zeros(LENGTH, np.float32))), block)
    assert not live[: stream.latency].any() and np.abs(live).max() > 0.05
    np.testing.assert_allclose(live[stream.latency : stream.latency + 3000], offline, atol=1e-5)


@pytest.mark.parametrize("rate", HOST_RATES[1:])
def test_at_another_rate_chunked_equals_whole_and_reset_equals_fresh(bundle: Bundle, rate: int) -> None:
    def make() -> Resynthesiser:
        return Resynthesiser(bundle, sample_rate=rate, seed=3)

    whole = chunked_equals_whole_and_reset_equals_fresh(make, signal(6000)[None])
    assert np.abs(whole).max() > 0.05


@pytest.mark.parametrize("rate", HOST_RATES)
def test_the_input_may_be_the_output(tiny: Bundle, rate: int | None) -> None:
    in_place_equals_apart(lambda: Resynthesiser(tiny, sample_rate=rate, seed=3), signal(6000)[None])


def test_style_0_is_the_reconstruction(tiny: Bundle) -> None:
    given, condition = signal(3000), tiny.condition("Snare")
    np.testing.assert_array_equal(
        resynthesise(tiny, given, condition, 0.0, seed=1)[:3000], reconstruct(tiny, given, condition, seed=1)
    )


def test_style_turns_while_it_plays(tmp_path: Path) -> None:
    """As if it had always been there from the next grains on: a style has no memory (tones do, in their phases)."""
    tiny = Bundle.open(write_tiny(tmp_path / "a.ngs", excitation="noise"), "cpu")
    given = signal(8 * LENGTH)[None]
    fixed, turned = Resynthesiser(tiny, seed=3), Resynthesiser(tiny, seed=3)
    turned.set(style=0.0)
    whole, out = in_blocks(fixed, given, HOP), np.zeros_like(given)
    for at in range(0, given.shape[1], HOP):
        if at == 4 * LENGTH:
            turned.set(style=1.0)
        turned.process(given[:, at : at + HOP], out[:, at : at + HOP])
    assert np.abs(out[0, LENGTH : 4 * LENGTH] - whole[0, LENGTH : 4 * LENGTH]).max() > 0.01
    np.testing.assert_allclose(out[0, 6 * LENGTH :], whole[0, 6 * LENGTH :], atol=1e-5)


class _Passing:
    """Replaces both graphs: the decoder plays what the encoder hears."""

    def __init__(self, stream: Resynthesiser) -> None:
        self.inputs = {**stream._decoder.inputs, **stream._encoder.inputs}
        self.outputs = {**stream._decoder.outputs, **stream._encoder.outputs}
        self._sum, self._weight, self._turn = np.zeros(LENGTH), np.zeros(LENGTH), 0

    def step(self, start: int, stop: int) -> None:
        self._turn += 1
        if self._turn % 2:  # the encoder's turn
            return
        window = onset_window(LENGTH) if self._turn == 2 else hann(LENGTH)
        self._sum += self.inputs["grain"][0] * window
        self._weight += window.astype(float) ** 2
        self.outputs["audio"][0] = self._sum[:HOP] / np.maximum(self._weight[:HOP], 1e-9)
        self._sum, self._weight = (np.concatenate((part[HOP:], np.zeros(HOP))) for part in (self._sum, self._weight))


@pytest.mark.parametrize("rate", HOST_RATES)
@pytest.mark.parametrize("at", [0, 777, 2048])
def test_an_impulse_arrives_at_the_latency(bundle: Bundle, rate: int | None, at: int) -> None:
    stream = Resynthesiser(bundle, sample_rate=rate)
    stream.set(style=0)
    stream._encoder = stream._decoder = _Passing(stream)  # type: ignore[assignment]
    given = np.zeros(8000, np.float32)
    given[at] = 1.0
    heard = played(stream, given, 100)
    # the delays of two resamplers of variable rate, each below two samples of the lower rate
    slack = 0 if rate in (None, bundle.manifest.sample_rate) else 1 + 4 * max(1.0, stream.sample_rate / 16000)
    assert abs(int(np.abs(heard).argmax()) - at - stream.latency) <= slack

    def dry() -> Resynthesiser:
        made = Resynthesiser(bundle, sample_rate=rate)
        made.set(mix=0)
        made.reset()
        return made

    an_impulse_arrives_at_the_latency(dry, at, 8000)


def test_silence_stays_silent_at_any_rate() -> None:
    bundle = Bundle.open(provider="cpu")
    for rate in (44100, 48000):
        silence_stays_silent(partial(Resynthesiser, bundle, sample_rate=rate), 20000)


def test_dry_and_wet_change_smoothly(tiny: Bundle) -> None:
    tone = (0.3 * np.sin(np.arange(6000) * 2 * np.pi * 100 / 8000)).astype(np.float32)
    stream = Resynthesiser(tiny)
    stream.set(mix=0)
    stream.reset()
    before = played(stream, tone[:3000])
    np.testing.assert_allclose(before[stream.latency :], tone[: 3000 - stream.latency], atol=1e-6)
    wet = played(Resynthesiser(tiny), tone)
    stream.set(mix=0.5)
    after = played(stream, tone[3000:])
    dry = tone[3000 - stream.latency : 6000 - stream.latency]
    np.testing.assert_allclose(after[80:], 0.5 * (dry + wet[3000:])[80:], atol=1e-5)
    levels = (after - dry)[:80] / (wet[3000:] - dry)[:80]
    np.testing.assert_allclose(levels, np.minimum(np.arange(1, 81) / 80, 0.5), atol=1e-3)


@pytest.mark.parametrize("block", [1, 7, 30])
def test_a_control_turned_again_on_its_way_does_not_jump(tiny: Bundle, block: int) -> None:
    ones, heard = np.ones(1200, np.float32), []
    for size in (block, 600):
        stream = Resynthesiser(tiny)
        stream.set(mix=0)
        stream.reset()
        played(stream, ones[:1000])
        stream.set(gain=0.3)
        part = played(stream, ones[:30], size)
        stream.set(gain=0.9)
        heard.append(np.concatenate((part, played(stream, ones, size))))
    np.testing.assert_array_equal(*heard)
    there = 1 - 30 / 80
    np.testing.assert_allclose(heard[0][:30], 1 - np.arange(1, 31) / 80, atol=1e-6)
    np.testing.assert_allclose(heard[0][30:], np.minimum(there + np.arange(1, 1201) / 80, 0.9), atol=1e-6)


def test_more_latency_can_be_asked_for(tiny: Bundle) -> None:
    given, plain = signal(3000), Resynthesiser(tiny)
    later = Resynthesiser(tiny, at_least=plain.latency + 100)
    assert later.latency == plain.latency + 100 and Resynthesiser(tiny, at_least=10).latency == plain.latency
    np.testing.assert_array_equal(played(later, given)[100:], played(plain, given)[:-100])


def test_when_frozen_the_last_grain_goes_on(tiny: Bundle) -> None:
    stream = Resynthesiser(tiny)
    given = signal(4000)
    played(stream, given[:2000])
    stream.set(freeze=1)
    played(stream, given[2000:2600])
    one, other = (played(stream, given[:HOP] * factor) for factor in (1.0, 0.0))
    assert np.abs(one).max() > 1e-3 and np.abs(other).max() > 1e-3
    stream.set(freeze=0)
    assert np.abs(played(stream, np.zeros(4000, np.float32))[-HOP:] - other).max() > 1e-3


def test_bad_samples_are_silence_and_the_stream_goes_on(tiny: Bundle) -> None:
    given = signal(3000)
    broken = given.copy()
    broken[1000:1010] = (np.nan, np.inf, -np.inf) * 3 + (np.nan,)
    cleaned = broken.copy()
    cleaned[1000:1010] = 0.0
    np.testing.assert_array_equal(played(Resynthesiser(tiny), broken), played(Resynthesiser(tiny), cleaned))


@pytest.mark.parametrize("loud", [1e19, 1e30, 3e38])
def test_it_survives_an_absurdly_loud_sample(tiny: Bundle, loud: float) -> None:
    given = signal(6000)
    given[1000] = loud
    heard = played(Resynthesiser(tiny), given)
    assert np.isfinite(heard).all() and np.abs(heard[-1000:]).max() > 0.01


def test_a_hop_that_fails_is_an_echo_and_a_new_sound_follows(tiny: Bundle) -> None:
    stream, given = Resynthesiser(tiny), signal(6000)
    before = played(stream, given[:2000])
    stream._decoder.inputs["sum"][:] = np.nan
    heard = played(stream, given[2000:])
    whole = np.concatenate((before, heard))[stream.latency :]
    failed = (2000 - LENGTH) // HOP * HOP + HOP  # the first sample of the hop that fails
    echo = whole[failed - HOP : failed][::-1] * np.linspace(1, 0, HOP, dtype=np.float32)
    np.testing.assert_array_equal(whole[failed : failed + HOP], echo)
    assert np.isfinite(heard).all() and np.abs(heard[-1000:]).max() > 0.01
    assert stream.failures == 1 and "NaN" in stream.last_failure


def test_gain_and_density_work(tiny: Bundle) -> None:
    given, plain = signal(4000), played(Resynthesiser(tiny), signal(4000))
    louder, sparse = Resynthesiser(tiny), Resynthesiser(tiny)
    louder.set(gain=2)
    louder.reset()
    np.testing.assert_allclose(played(louder, given), 2 * plain, atol=1e-6)
    sparse.set(density=0)
    assert not played(sparse, given).any()


def test_scatter_changes_the_sound_reproducibly(tiny: Bundle) -> None:
    given = signal(3000)
    stream, plain = Resynthesiser(tiny, seed=1), played(Resynthesiser(tiny, seed=1), given)
    stream.set(scatter=1)
    strayed = played(stream, given)
    assert np.abs(strayed - plain).max() > 0.01
    stream.reset()
    np.testing.assert_array_equal(played(stream, given), strayed)


def test_bad_arguments_are_refused(tiny: Bundle) -> None:
    stream = Resynthesiser(tiny)
    for wrong, message in (
        (lambda: stream.set(scatter=-1), "scatter is -1: choose 0 to 4"),
        (lambda: stream.set(mix=float("nan")), "mix is nan: choose 0 to 1"),
        (lambda: stream.set(pan=0), "no control 'pan'; known: mix, style, gain"),
        (lambda: stream.condition({"class": "Cow"}), "no class 'Cow'"),
        (lambda: stream.render(np.zeros((2, 10), np.float32)), r"float32 \[1, n\], this one is float32 \(2, 10\)"),
        (lambda: Resynthesiser(tiny, sample_rate=10), "sample_rate is 10 Hz"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()


def test_it_is_as_loud_at_another_rate_as_at_its_own(tiny: Bundle) -> None:
    given = signal(4000)
    plain, stream = Resynthesiser(tiny), Resynthesiser(tiny, sample_rate=16000)
    for each in (plain, stream):
        each.set(style=0)
    own = played(plain, given)[LENGTH - 1 :]
    heard = played(stream, soxr.resample(given, 8000, 16000))[stream.latency :]
    levels = [float(np.sqrt(np.mean(part**2))) for part in (own[500:3000], heard[1000:6000])]
    assert levels[1] == pytest.approx(levels[0], rel=0.1)
