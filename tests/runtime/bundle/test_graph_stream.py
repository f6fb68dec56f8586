"""A graph with state gives the same numbers in place and through the buffers of a device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ngs.runtime import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.graph_stream import GraphStream, OnDevice

ROWS = 4


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


@pytest.fixture(params=["in place", "through a device"])
def stream(request: pytest.FixtureRequest, tiny: Bundle) -> GraphStream:
    made = GraphStream(tiny, "decoder_stream", ROWS)
    if request.param == "through a device":  # the CPU stands in for it
        following = {f"next_{name}": state for name, (_, state) in zip(made.states, made._next, strict=True)}
        made._run = OnDevice(tiny.session("decoder_stream"), made.inputs, made.outputs | following, "cpu")
    rng = np.random.default_rng(0)
    for name in ("latent", "condition", "noise"):
        made.inputs[name][:] = rng.uniform(-1, 1, made.inputs[name].shape)
    made.inputs["onset"][:] = made.inputs["level"][:] = 1.0
    return made


def test_rows_equal_a_plain_run_and_states_are_carried_over(stream: GraphStream, tiny: Bundle) -> None:
    assert stream.states == ("sum", "weight", "history", "phase") and set(stream.outputs) == {"audio"}
    names = [tensor.name for tensor in tiny.manifest.graphs["decoder_stream"].outputs]
    feeds = {name: array.copy() for name, array in stream.inputs.items()}
    for onset in (1.0, 0.0, 0.0):
        feeds["onset"][:] = stream.inputs["onset"][:] = onset
        expected = dict(zip(names, tiny.run("decoder_stream", **feeds), strict=True))
        feeds |= {name: expected[f"next_{name}"] for name in stream.states}
        stream.step(0, ROWS)
        np.testing.assert_allclose(stream.outputs["audio"], expected["audio"], atol=1e-6)
        for name in stream.states:
            np.testing.assert_allclose(stream.inputs[name], feeds[name], atol=1e-6)
    assert np.abs(stream.outputs["audio"]).max() > 0.01


def test_other_rows_do_not_change(stream: GraphStream) -> None:
    stream.step(0, ROWS)
    sums, audio = stream.inputs["sum"].copy(), stream.outputs["audio"].copy()
    stream.inputs["onset"][:] = 0.0
    stream.step(1, 3)
    for array, before in ((stream.inputs["sum"], sums), (stream.outputs["audio"], audio)):
        assert [bool((array[row] != before[row]).any()) for row in range(ROWS)] == [False, True, True, False]


def test_a_row_moves_with_its_state(stream: GraphStream) -> None:
    stream.step(0, ROWS)
    stream.inputs["onset"][:] = 0.0
    stream.move(3, 0)
    stream.step(0, ROWS)
    np.testing.assert_allclose(stream.outputs["audio"][0], stream.outputs["audio"][3], atol=1e-6)
    stream.clear(0)
    assert not any(stream.inputs[name][0].any() for name in stream.states)
    assert stream.inputs["latent"][0].any() and stream.inputs["sum"][1].any()


def test_warming_up_changes_nothing(stream: GraphStream) -> None:
    before = {name: array.copy() for name, array in stream.inputs.items()}
    stream.warm_up()
    for name, array in stream.inputs.items():
        np.testing.assert_array_equal(array, before[name])


def test_the_error_of_a_graph_is_one_line(stream: GraphStream) -> None:
    stream.inputs["latent"][2] = np.nan  # gives a peak outside the spectrum
    with pytest.raises(BundleError, match="tiny.ngs: decoder_stream cannot be run"):
        stream.step(0, ROWS)
    stream.inputs["latent"][2] = 0.0
    stream.step(0, 2)
    assert np.isfinite(stream.outputs["audio"][:2]).all()


def test_without_cuda_a_captured_session_is_a_plain_one(tiny: Bundle) -> None:
    assert tiny.captured_session("decoder_stream").get_providers() == ["CPUExecutionProvider"]
