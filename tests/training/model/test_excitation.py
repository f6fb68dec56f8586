"""Tones stand still, noise stays noise, attacks come in time; and the paper's formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ngs.runtime.dsp.locked_tones import Phases
from ngs.training.config import load_preset, override
from ngs.training.model.band_levels import BANDS, SCALE, bands_of_bins, gains, log_levels
from ngs.training.model.decoders import GrainDecoder
from ngs.training.model.energy_profile import PROFILE_SCALE, energy_profile, profile_gain
from ngs.training.model.excitation import LockedTones, excite, find_peaks, follow_phases, next_phase
from ngs.training.model.onset import RISE, SHAPE_SIZE, ShortFrames
from ngs.training.model.overlap_add import analysis_windows, noise_grains, overlap_add, slice_grains
from ngs.training.model.parts import make_decoder

CONFIG = override(load_preset("fast"), ["grain.hidden_size=16", "grain.latent_size=8"])
RATE_HZ, LENGTH, HOP = CONFIG.audio.sample_rate, CONFIG.audio.grain_length, CONFIG.audio.hop_length
BINS, POINTS, FLOOR = LENGTH // 2 + 1, LockedTones.points, CONFIG.grain.floor
TONES_HZ = (60.0, 110.3, 440.0, 1234.5, 5000.0, 9000.0)


@pytest.fixture(scope="module")
def decoder() -> GrainDecoder:
    return make_decoder(CONFIG.audio, CONFIG.grain, 0).eval()


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sine(hz: float, hops: int) -> Tensor:
    return (0.5 * torch.sin(2 * math.pi * hz / RATE_HZ * torch.arange(hops * HOP).double())).float()


def coefficients(signal: Tensor, grains: int) -> Tensor:
    """What a perfect decoder gives for the first grains of a signal [n]: [1, grains, F]."""
    windowed = slice_grains(signal[None], LENGTH)[:, :grains] * analysis_windows(LENGTH, grains)
    spectral = torch.log(FLOOR + torch.fft.rfft(windowed).abs())
    return joined(spectral, energy_profile(windowed, POINTS), ShortFrames(LENGTH).log_shares(windowed[:, 0]))


def joined(spectral: Tensor, profile: Tensor, log_shares: Tensor | float = 0.0) -> Tensor:
    """Coefficients [B, G, F] of bins [B, G, K], profiles [..., G, S], and the shares of first grains or equal ones."""
    shape = torch.zeros(*spectral.shape[:2], SHAPE_SIZE)
    shape[:, 0] = log_shares
    levels = log_levels(torch.relu(spectral.exp() - FLOOR), bands_of_bins(BINS, RATE_HZ / LENGTH))
    profile = profile.expand(len(spectral), -1, -1)
    return torch.cat((spectral, PROFILE_SCALE * profile, SCALE * levels, shape), -1)


def steady_profiles(grains: int) -> Tensor:
    """Of a steady sound: its grains are as loud as their windows, [grains, S]."""
    windows = analysis_windows(LENGTH, grains).double()
    alternating = windows * (-1.0) ** torch.arange(LENGTH)  # its differences are as loud as twice the window
    return energy_profile(alternating, POINTS).float()


@torch.no_grad()
def play(decoder: GrainDecoder, decoded: Tensor, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return overlap_add(decoder.grains(decoded, noise_grains(*decoded.shape[:2], LENGTH)))


def apart(a: Tensor, b: Tensor | float) -> Tensor:
    """Distance of phases in turns on their circle."""
    return ((a - b) - (a - b).round()).abs()


@pytest.mark.parametrize("offset", [-0.49, -0.3, -0.1, 0.0, 0.07, 0.25, 0.49])
@pytest.mark.parametrize("around", [12, 101, 502, 903])
def test_a_steady_sine_is_a_peak_that_advances_by_its_frequency(around: int, offset: float) -> None:
    cycles = torch.tensor([0.1, 0.35, 0.8])[:, None] + (around + offset) * torch.arange(LENGTH).double() / LENGTH
    windowed = torch.sin(2 * math.pi * cycles) * torch.hann_window(LENGTH, dtype=torch.float64)
    peak, advance, tone = find_peaks(torch.log(FLOOR + torch.fft.rfft(windowed).abs()))
    lobe = slice(around - 1, around + 2)
    assert (peak[:, lobe] == around).all() and tone[:, lobe].all()
    turns = (around + offset) * HOP / LENGTH
    assert apart(advance[:, lobe], turns).max() < 1e-3


def test_bins_climb_to_their_peak() -> None:
    spectra = torch.randn(20, BINS, generator=generator(0))
    peak, advance, _ = find_peaks(spectra)
    index = torch.arange(BINS)
    assert ((peak - index).abs() <= 1).all() and peak.min() >= 0 and peak.max() < BINS
    is_peak = peak == index
    inner = spectra[:, 1:-1]
    assert torch.equal(is_peak[:, 1:-1], (inner > spectra[:, :-2]) & (inner > spectra[:, 2:]))
    assert (spectra.gather(1, peak.long()) >= spectra).all()
    assert apart(advance, 0.25 * peak)[is_peak].max() <= 0.125 + 1e-6  # within half a bin


@pytest.mark.parametrize("periods", [0.0, 1.0, 3.0])
def test_smooth_spectra_have_no_tones(periods: float) -> None:
    spectrum = 3 * torch.cos(2 * math.pi * periods * torch.arange(BINS) / BINS)
    assert not find_peaks(spectrum)[2][4:-4].any()  # the ends have no neighbours to be compared with
    spectrum[300] += 4
    assert find_peaks(spectrum)[2][4:-4].nonzero().flatten().tolist() == [295, 296, 297]


@pytest.mark.parametrize("level", [0.0, math.log(FLOOR), -99.0, -150.0, -1e5, 50.0])
def test_flat_and_silent_spectra_are_finite(level: float) -> None:
    peak, advance, _ = find_peaks(torch.full((2, BINS), level))
    assert torch.isfinite(advance).all() and peak.min() >= 0 and peak.max() < BINS
    assert torch.isfinite(follow_phases(peak[None], advance[None], torch.zeros(1, BINS))).all()


def test_phases_stay_within_a_turn() -> None:
    phase, advance = torch.rand(2, 5, BINS, generator=generator(1))
    peak = torch.randint(BINS, (5, BINS), generator=generator(2)).float()
    moved = next_phase(phase, peak, 40 * (advance - 0.5))
    assert moved.min() >= 0 and moved.max() < 1
    assert apart(moved[1], phase[1, peak[1].long()] + 40 * (advance[1] - 0.5)).max() < 1e-5


def test_phases_of_whole_sounds_are_the_runtimes() -> None:
    peak = torch.randint(BINS, (2, 30, BINS), generator=generator(3)).float()
    advance = torch.rand(2, 30, BINS, generator=generator(4)) * 5 - 2
    first = torch.rand(2, BINS, generator=generator(16))
    followed = follow_phases(peak, advance, first)
    for row in range(2):
        phases = Phases(first[row].numpy())
        before = torch.from_numpy(phases.before(peak[row, 1:].numpy(), advance[row, 1:].numpy()))
        assert apart(followed[row, :-1], before).max() < 1e-5


def test_a_sound_is_decoded_as_hop_by_hop(decoder: GrainDecoder) -> None:
    decoded = torch.randn(2, 9, BINS + POINTS + BANDS + SHAPE_SIZE, generator=generator(5))
    torch.manual_seed(0)
    noise = noise_grains(2, 9, LENGTH)
    with torch.no_grad():
        whole = decoder.grains(decoded, noise)
        first, phase = decoder.first_grain(decoded[:, 0], noise[:, 0])
        torch.testing.assert_close(first, whole[:, 0])
        for grain in range(1, 9):
            frame = decoder.frame(decoded[:, grain])
            single, (phase,) = decoder.synthesise(*frame, noise=noise[:, grain], phase=phase)
            torch.testing.assert_close(single, whole[:, grain], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("hz", TONES_HZ)
def test_a_sine_stands_still(decoder: GrainDecoder, hz: float) -> None:
    played = play(decoder, coefficients(sine(hz, 54), 50))[0].double()
    turned = played * torch.exp(-2j * math.pi * hz / RATE_HZ * torch.arange(len(played)))
    windows = torch.hann_window(LENGTH, dtype=torch.float64)
    parts = ((turned.unfold(0, LENGTH, HOP) * windows).sum(1) / windows.sum() * 2)[4:]  # after the onset
    levels_db = 20 * torch.log10(parts.abs())
    assert levels_db.max() - levels_db.min() < 0.3
    assert levels_db.mean().item() == pytest.approx(20 * math.log10(0.5), abs=2)
    phases = np.unwrap(parts.angle().numpy()) / (2 * math.pi)
    assert abs(np.diff(phases)).max() * RATE_HZ / HOP < 0.5
    tone = (parts[len(parts) // 2] * torch.exp(2j * math.pi * hz / RATE_HZ * torch.arange(len(played)))).real
    rest = (played - tone)[4 * HOP : -4 * HOP]
    assert rest.square().mean() < 0.01 * tone.square().mean()


@pytest.mark.parametrize("hz", TONES_HZ)
def test_a_sound_starts_at_once_and_without_a_jump(decoder: GrainDecoder, hz: float) -> None:
    original = sine(hz, 54)
    played = play(decoder, coefficients(original, 50).expand(16, -1, -1))
    assert played[:, 0].abs().max() < 1e-6
    rise = LENGTH // RISE
    steps = played[:, : rise + 1].diff().abs().max()
    assert steps < 1.5 * max(2 / rise, 2 * math.pi * hz / RATE_HZ) * played.abs().max()
    energies = [played[:, part].square().mean() for part in (slice(rise, HOP), slice(8 * HOP, 40 * HOP))]
    assert 0.4 < energies[0] / energies[1] < 2.5  # on average over noises: no swell to the middle of the grain


@pytest.mark.parametrize("start", [9.5, 10.0, 10.5])
def test_an_attack_in_a_grain_comes_in_time(decoder: GrainDecoder, start: float) -> None:
    attack, hops = int(start * HOP), 40
    signal = torch.zeros(hops * HOP)
    decay = torch.exp(-torch.arange(hops * HOP - attack) / 2000)
    signal[attack:] = 0.3 * torch.randn(len(decay), generator=generator(6)) * decay
    decoded = coefficients(signal, hops - 3)
    steady = joined(decoded[..., :BINS], steady_profiles(hops - 3))
    before = attack - LENGTH // POINTS // 2  # points of the profile are joined by lines
    energies = [play(decoder, values)[0, :before].square().sum() for values in (decoded, steady)]
    assert energies[1] > 0.01 * signal.square().sum()
    assert 10 * math.log10(energies[0] / energies[1]) < -15


def test_silence_is_silent(decoder: GrainDecoder) -> None:
    assert play(decoder, coefficients(torch.zeros(20 * HOP), 20)).abs().max() < 1e-9
    loud_profile = torch.full((20, POINTS), 9.0)
    for below in (1e-6, 1.0, 300.0):
        nothing = torch.full((1, 20, BINS), math.log(FLOOR) - below)
        assert not play(decoder, joined(nothing, loud_profile, 9.0)).any()


def test_steady_grains_have_no_dc(decoder: GrainDecoder) -> None:
    spectral = torch.randn(2, 20, BINS, generator=generator(7))
    spectral[..., :3] = torch.tensor([3.0, 3.5, 1.0])  # bin 0 follows bin 1, whose phase moves
    decoded = joined(spectral, steady_profiles(20))
    torch.manual_seed(0)
    with torch.no_grad():
        grains = decoder.grains(decoded, noise_grains(2, 20, LENGTH))
    later = grains[:, 1:]  # what a first grain has under its window is not its mean
    assert later.abs().max() > 0.1 and later.mean(-1).abs().max() < 1e-3


def hop_lines(signal: Tensor) -> float:
    """How deep the power of signals [B, n] moves at the hop rate and twice and thrice that, root mean square."""
    power = signal.double().square()
    lines = [torch.exp(-2j * math.pi * number / HOP * torch.arange(power.shape[1])) for number in (1, 2, 3)]
    return torch.stack([(power * line).mean(1).abs() / power.mean(1) for line in lines]).square().mean().sqrt().item()


def test_noise_does_not_buzz_at_the_hop_rate(decoder: GrainDecoder) -> None:
    grains = 300
    spectral = torch.full((6, grains, BINS), math.log(FLOOR + 3))
    decoded = joined(spectral, steady_profiles(grains))
    played = play(decoder, decoded)[:, 4 * HOP :]
    white = torch.randn(played.shape, generator=generator(8))
    assert hop_lines(played) < 2 * hop_lines(white)
    frozen = noise_grains(6, 1, LENGTH).expand(-1, grains, -1)  # the same noise in every grain: this does buzz
    with torch.no_grad():
        buzzing = overlap_add(decoder.grains(decoded, frozen))[:, 4 * HOP :]
    assert hop_lines(buzzing) > 4 * hop_lines(white)


def test_noise_keeps_its_spectrum_and_its_level(decoder: GrainDecoder) -> None:
    wanted = 2 + torch.cos(4 * math.pi * torch.arange(BINS) / BINS)
    decoded = joined(torch.log(FLOOR + wanted).expand(1, 300, -1), steady_profiles(300))
    played = play(decoder, decoded)
    found = torch.fft.rfft(slice_grains(played, LENGTH)[0, 4:-4] * torch.hann_window(LENGTH)).abs().square().mean(0)
    ratio = found.sqrt()[8:-8].unfold(0, 64, 64).mean(1) / wanted[8:-8].unfold(0, 64, 64).mean(1)
    assert ratio.std() < 0.05 * ratio.mean()
    assert ratio.mean().item() == pytest.approx(1, abs=0.3)


def test_magnitudes_above_0_are_tones_and_below_0_noise() -> None:
    magnitude = 3 * torch.randn(4, BINS, generator=generator(9))
    phase = torch.rand(4, BINS, generator=generator(10))
    noise = torch.randn(2, 4, BINS, generator=generator(11))
    real, imaginary = excite(magnitude, phase, (noise[0], noise[1]))
    spectrum, tones = torch.complex(real, imaginary), magnitude > 0
    torch.testing.assert_close(spectrum.abs(), magnitude.abs(), atol=1e-5, rtol=1e-4)
    assert apart(spectrum.angle() / (2 * math.pi), phase)[tones].max() < 1e-5
    noisy = torch.complex(noise[0], noise[1])
    assert apart(spectrum.angle() / (2 * math.pi), noisy.angle() / (2 * math.pi))[~tones].max() < 1e-5
    assert all(part.isfinite().all() for part in excite(magnitude, phase, (0 * noise[0], 0 * noise[1])))


@pytest.mark.parametrize("length", [64, 2048])
def test_a_profile_is_the_share_of_the_energy(length: int) -> None:
    grains = torch.randn(5, length, generator=generator(12)) * (0.5 + torch.rand(5, 1, generator=generator(13)))
    grains[:, : length // 2] *= 0.1
    shares = energy_profile(grains, 4).exp()
    assert shares.shape == (5, 4)
    torch.testing.assert_close(shares.mean(1), torch.ones(5), atol=0.01, rtol=0)
    assert (shares[:, :2] < 0.15).all() and (shares[:, 2:] > 0.5).all()
    torch.testing.assert_close(energy_profile(100 * grains, 4), energy_profile(grains, 4), atol=1e-2, rtol=0)


def test_silence_has_the_profile_of_a_steady_sound() -> None:
    torch.testing.assert_close(
        energy_profile(torch.zeros(1, LENGTH), POINTS), steady_profiles(2)[1:], atol=0.02, rtol=0
    )


def test_a_steady_profile_changes_nothing_and_no_profile_is_boundless() -> None:
    gain = profile_gain(steady_profiles(2)[1:], LENGTH)
    torch.testing.assert_close(gain, torch.ones(1, LENGTH), atol=0.01, rtol=0)
    extreme = profile_gain(torch.tensor([[-1e4] * POINTS, [1e4] * POINTS]), LENGTH)
    assert extreme.isfinite().all() and (extreme > 0).all() and extreme[0].max() < 1 < extreme[1].min()


def test_a_gain_is_the_root_of_a_share_between_the_middles_of_its_parts() -> None:
    later = steady_profiles(2)[1:]
    quiet = later.clone()
    quiet[0, 2] -= math.log(4)
    gain = profile_gain(quiet, LENGTH)[0]
    part = LENGTH // POINTS
    assert gain[2 * part + part // 2].item() == pytest.approx(0.5, abs=0.01)
    assert gain[2 * part].item() == pytest.approx(0.75, abs=0.01)
    torch.testing.assert_close(gain[: part + part // 2], torch.ones(part + part // 2), atol=0.01, rtol=0)


@pytest.mark.parametrize("preset", ["paper-16k", "fast"])
def test_the_noise_variant_filters_noise_as_in_the_paper(preset: str) -> None:
    config = override(load_preset(preset), ["grain.excitation=noise", "grain.hidden_size=16", "audio.grain_length=256"])
    decoder = make_decoder(config.audio, config.grain, 0)
    h = 2 * torch.randn(2, 5, 129, generator=generator(14))
    magnitudes = torch.relu(torch.exp(h) - config.grain.floor)
    decoded = torch.cat((h, SCALE * log_levels(magnitudes, decoder.bands)), -1) if decoder.levels else h
    torch.manual_seed(0)
    noise = noise_grains(2, 5, 256)
    with torch.no_grad():
        (magnitude,) = decoder.frame(decoded)
        grains = decoder.grains(decoded, noise)
        single, states = decoder.synthesise(magnitude[:, 2], noise=noise[:, 2], phase=torch.zeros(0))
    if preset == "paper-16k":
        expected = 2 * torch.sigmoid(h) ** math.log(10) + 1e-7  # eq. 6
    else:
        # a Hann window's mean square is 3/8, uniform noise's 1/3: the windowed grain has the decoded magnitude
        expected = magnitudes * gains(magnitudes, log_levels(magnitudes, decoder.bands), decoder.bands)
        expected = expected / math.sqrt(256 * 3 / 8 / 3)
    expected[..., 0] = 0  # no DC
    torch.testing.assert_close(magnitude, expected)
    filtered = torch.fft.irfft(expected * torch.fft.rfft(noise))  # eq. 7 and 8
    torch.testing.assert_close(grains, filtered, atol=1e-5, rtol=1e-4)
    assert isinstance(single, Tensor) and states == ()
    torch.testing.assert_close(single, filtered[:, 2], atol=1e-5, rtol=1e-4)


def test_gradients_reach_every_bin_that_is_heard_and_levels_but_no_profile(decoder: GrainDecoder) -> None:
    decoded = torch.randn(1, 3, BINS + POINTS + BANDS + SHAPE_SIZE, generator=generator(15), requires_grad=True)
    torch.manual_seed(0)
    grains = decoder.grains(decoded, noise_grains(1, 3, LENGTH))
    grains.square().sum().backward()  # type: ignore[no-untyped-call]
    assert decoded.grad is not None and decoded.grad.isfinite().all()
    heard = torch.arange(BINS) + 0.5 > 20 * LENGTH / RATE_HZ
    assert heard.sum() == BINS - 2 and torch.equal((decoded.grad[..., :BINS] != 0).all(1)[0], heard)
    others = decoded.grad[..., BINS:].split([POINTS, BANDS, SHAPE_SIZE], -1)
    assert [bool(part.any()) for part in others] == [False, True, False]  # profiles are learned from those of grains


def test_nan_has_no_peaks_outside_the_spectrum() -> None:
    peak, _, _ = find_peaks(torch.full((2, BINS), math.nan))
    assert peak.shape == (2, BINS) and peak.min() >= 0 and peak.max() < BINS
