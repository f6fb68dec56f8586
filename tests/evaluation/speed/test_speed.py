"""What the speed measurements count. How fast anything is, no test says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ngs.evaluation.speed.live_speed import in_real_time
from ngs.evaluation.speed.products import Product, alone, products
from ngs.evaluation.speed.timing import Durations, in_turns
from ngs.runtime.bundle import session
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.training.published_decoder import PublishedDecoder, decoding, one_thread

# Layers of an exported bundle: in, out. The last two are fused, to bins, profile, levels of bands, and onset shape.
# The sums over bands, and the gains of bins that follow from them, are products too.
LINEAR = [(24, 16), (16, 16), (16, 16), (32, 129 + 8 + 7 + 128), (129, 7), (7, 129)]


@pytest.mark.parametrize("rows", [1, 5])
def test_products_of_a_graph_are_found(exported_bundle: Path, rows: int) -> None:
    bundle = Bundle.open(exported_bundle, "cpu")
    found = products(bundle, "decoder", rows)
    assert found == [Product((rows, inputs), (inputs, outputs), "right") for inputs, outputs in LINEAR]
    operations = [2 * rows * inputs * outputs for inputs, outputs in LINEAR]
    assert [product.operations for product in found] == operations
    hop = products(bundle, "decoder_stream", rows)
    assert all(hop.count(product) >= found.count(product) for product in found) and len(hop) > len(found)
    outputs = alone(hop)()
    assert isinstance(outputs, list) and sum(array.any() for array in outputs) == len(outputs)


def test_a_graph_that_changed_since_it_was_checked_is_not_measured(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "copy.ngs"))
    bundle = Bundle.open(copy, "cpu")
    bundle.session("decoder")
    (copy / "decoder.onnx").write_bytes((copy / "encoder.onnx").read_bytes())
    with pytest.raises(BundleError, match="decoder.onnx.*sha256"):
        products(bundle, "decoder", 1)


def test_a_graph_is_profiled_in_a_guarded_session(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    monkeypatch.setattr(session, "check_graph", lambda model, file: checked.append(file))
    products(Bundle.open(tiny_bundle, "cpu"), "decoder", 1)
    assert checked == ["decoder.onnx"]


def test_products_with_a_weight_on_either_side_and_none() -> None:
    cases = [Product((3, 4), (4, 5), "right"), Product((6, 4), (2, 4, 5), "left"), Product((2, 3, 4), (2, 4, 5), "")]
    assert [case.result for case in cases] == [(3, 5), (2, 6, 5), (2, 3, 5)]
    assert [case.operations for case in cases] == [120, 480, 240]
    arrays = alone(cases)()
    assert isinstance(arrays, list)
    by_shape = {array.shape: array for array in arrays}
    assert np.allclose(by_shape[2, 3, 5], by_shape[2, 3, 4] @ arrays[3], atol=1e-5)


def test_voices_in_real_time() -> None:
    assert in_real_time({1: 0.1, 8: 0.5, 16: 1.5}) == (12, False)
    assert in_real_time({1: 2.0, 8: 9.0}) == (0.5, False)
    assert in_real_time({1: 0.1, 8: 0.5}) == (16, True)


def test_durations() -> None:
    times = Durations.of([(0.003, 0.001), (0.001, 0.001), (0.002, 0.001)])
    assert (times.count, times.p50_ms, times.worst_ms, times.cpu_ms) == pytest.approx((3, 2, 3, 1))
    calls: list[str] = []
    taken = in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, seconds=10, most=7)
    assert taken["a"].count == taken["b"].count == 7 and calls[:4] == ["a", "b", "a", "b"]
    assert in_turns({"a": lambda: None}, seconds=0, most=100)["a"].count < 100


@pytest.mark.parametrize("padded", [True, False])
def test_the_reference_filters_its_noise(padded: bool) -> None:
    decoder = PublishedDecoder(256, 4, 3, 16, 2, padded=padded)
    with one_thread():
        assert torch.get_num_threads() == 1
        sound = decoding(decoder, np.ones((6, 4), np.float32), np.ones(3, np.float32))()
    assert isinstance(sound, torch.Tensor) and sound.shape == (9 * 64,)
    assert 0 < sound.abs().max() < 1 and not sound.requires_grad


def test_a_flat_filter_delays_the_reference_by_half_a_grain() -> None:
    decoder = PublishedDecoder(256, 4, 3, 16, 2, padded=True)
    torch.manual_seed(0)
    grains = decoder.grains(torch.ones(1, 129))
    torch.manual_seed(0)
    noise = torch.rand(1, 256) * 2 - 1
    assert torch.allclose(grains[:, 128:], noise[:, :128], atol=1e-4)
    assert grains[:, :128].abs().max() < 1e-4
