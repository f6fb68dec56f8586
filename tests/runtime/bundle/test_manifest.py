"""Every field of a manifest is checked, and errors name the field."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.manifest import Manifest


@pytest.fixture
def document(tiny_bundle: Path) -> Any:
    return json.loads((tiny_bundle / "manifest.json").read_text())


def test_round_trip(document: Any) -> None:
    assert json.loads(json.dumps(Manifest.from_dict(document).to_dict())) == document


def test_sizes(document: Any) -> None:
    manifest = Manifest.from_dict(document)
    assert manifest.condition_size == 3
    assert manifest.graphs["synthesis"].inputs[4].shape == ("batch", 256)
    assert [state.shape for state in manifest.graphs["synthesis"].states] == [("batch", 129)]


def test_fields_and_graphs_of_later_releases_are_ignored(document: Any) -> None:
    document["later"] = 1
    document["graphs"]["more"] = document["graphs"]["decoder"]
    assert "more" in Manifest.from_dict(document).graphs


RISING = {"real": [0, 1, 1, 2, 3], "drawn": [0, 1, 2, 3, 4]}  # ranges of loudness
WRONG: list[tuple[str, Any, str]] = [
    ("format_version", 1, "format_version: expected 3 or 4, found 1: export the run anew"),
    ("format_version", True, "format_version"),
    ("sample_rate", 999, "sample_rate"),
    ("sample_rate", "22050", "sample_rate"),
    ("sample_rate", 22050.0, "sample_rate"),
    ("grain_length", 100, "grain_length: expected a power of two"),
    ("grain_length", 1 << 40, "grain_length"),
    ("hop_length", 32, "hop_length: expected 64, found 32"),
    ("latent_size", 0, "latent_size"),
    ("latent_size", 5000, "latent_size"),
    ("latent_size", 5, "graphs.encoder.outputs.mean: expected float32 .batch, 5., found float32 .batch, 4."),
    ("embedding_size", True, "embedding_size"),
    ("path_length", -1, "path_length"),
    ("name", "", "name"),
    ("name", "\x1b[2Jx", "name: expected printable text"),
    ("model_card", [], "model_card"),
    ("model_card", {"a": 1}, "model_card.a"),
    ("attributes", [], "attributes"),
    ("attributes", [{"name": "class", "classes": []}], r"attributes\[0\].classes"),
    ("attributes", [{"name": "class", "classes": ["a", "b", "a"]}], "a twice"),
    ("attributes", [{"name": "class", "classes": ["a"]}] * 2, "class twice"),
    ("attributes", [{"name": "class"}], r"attributes\[0\].classes: expected a value, found none"),
    ("attributes", [{"name": "class", "classes": ["a"]}], "graphs.decoder.inputs.condition"),
    ("loudness", [], "loudness: expected a list of 2 to"),
    ("loudness", [RISING] * 3, "loudness: expected 4 entries, found 3 entries"),
    ("loudness", [{"real": [0, 1, 2, 3, 4]}] * 4, r"loudness\[0\].drawn: expected a value, found none"),
    ("loudness", [RISING | {"real": [0, 1, 2]}] * 4, r"loudness\[0\].real: expected a list of 5"),
    ("loudness", [RISING | {"real": [9, 1, 2, 3, 4]}] * 4, r"loudness\[0\].real: expected numbers from low to high"),
    ("loudness", [RISING | {"drawn": [0, 1, 1, 2, 3]}] * 4, r"loudness\[0\].drawn: .*each above the one before"),
    ("loudness", [RISING | {"drawn": [0, 1, "x", 3, 4]}] * 4, r"loudness\[0\].drawn\[2\]: .* -200 to 200, found x"),
    ("loudness", [RISING | {"drawn": [0, 1, float("nan"), 3, 4]}] * 4, r"loudness\[0\].drawn\[2\]: expected a number"),
    ("graphs.loudness.outputs.0.shape", ["batch", 2], "graphs.loudness.outputs.loudness: expected .*1.*2"),
    ("graphs", {}, "graphs.encoder: expected an entry, found none"),
    ("graphs.decoder", "decoder.onnx", "graphs.decoder: expected an object"),
    ("graphs.decoder.file", "../decoder.onnx", "graphs.decoder.file: expected a plain file name"),
    ("graphs.decoder.file", "/etc/passwd", "graphs.decoder.file"),
    ("graphs.decoder.file", "..", "graphs.decoder.file"),
    ("graphs.decoder.file", "C:x", "graphs.decoder.file"),
    ("graphs.decoder.file", "a\\b", "graphs.decoder.file"),
    ("graphs.decoder.file", "a\0b", "graphs.decoder.file"),
    ("graphs.decoder.sha256", "12", "graphs.decoder.sha256"),
    ("graphs.decoder.inputs", [], "graphs.decoder.inputs: expected latent, condition, found none"),
    ("graphs.decoder.states", {}, "graphs.decoder.states"),
    ("graphs.decoder.outputs.0.dtype", "float64", "dtype: expected float32, found float64"),
    ("graphs.decoder.outputs.0.shape", ["batch", "batch"], r"shape\[1\]: expected a fixed size"),
    ("graphs.decoder.outputs.0.shape", [2, 256], r"shape\[0\]: expected batch"),
    ("graphs.decoder.outputs.0.shape", ["batch", 1 << 20, 1 << 20], "at most 1024 MiB"),
    ("graphs.decoder.outputs.0.shape", ["batch", 128], "graphs.decoder.outputs.magnitude"),
    ("graphs.decoder.outputs.3.shape", ["batch", 5], r"outputs.profile: expected float32 .batch, 4., found .*batch, 5"),
    ("graphs.synthesis.inputs.3.shape", ["batch", 0], "graphs.synthesis.*from 1 to"),
    (
        "graphs.synthesis.inputs.3.shape",
        ["batch", 1000],
        "graphs.synthesis.profile.shape: expected a whole number from 1 to .*1000",
    ),
    (
        "graphs.synthesis.inputs.3.shape",
        ["batch"],
        "graphs.synthesis.profile.shape: expected a whole number from 1 to .*None",
    ),
    (
        "graphs.synthesis.inputs.3.name",
        "shape",
        "graphs.synthesis.profile.shape: expected a whole number from 1 to .*None",
    ),
    ("graphs.synthesis.inputs.1.shape", ["batch", 128], "graphs.synthesis.inputs.peak"),
    ("graphs.synthesis.inputs.5.shape", ["batch", 2], "graphs.synthesis.inputs.phase"),
    ("graphs.synthesis.inputs.4.name", "hiss", "profile, noise, phase, found .*profile, hiss, phase"),
    ("graphs.synthesis.outputs.0.shape", ["batch", 255], "graphs.synthesis.outputs.grain"),
    ("graphs.synthesis.outputs.1.shape", ["batch", 128], "graphs.synthesis.outputs.next_phase"),
    ("graphs.synthesis.states", [], "graphs.decoder.outputs: expected magnitude, found magnitude, peak"),
    ("graphs.synthesis.states.0.name", "noise", "graphs.synthesis.states: expected phase, found noise"),
    ("graphs.synthesis.states.0.shape", ["batch", 128], "graphs.synthesis.states.phase: expected .*129.*128"),
    (
        "graphs.postprocessing.inputs.0.shape",
        ["batch", 63],
        "postprocessing.signal.shape: expected a whole number from 64 to 65600",
    ),
    ("graphs.decoder_stream.inputs.7.shape", ["batch"], "decoder_stream.history.shape: expected a whole number"),
    ("graphs.decoder_stream.inputs.6.shape", ["batch", 191], "decoder_stream.inputs.weight: expected .*192"),
    (
        "graphs.decoder_stream.inputs.8.name",
        "angle",
        "decoder_stream.inputs: expected .*history, phase, first, motion, found .*history, angle, first, motion",
    ),
    ("graphs.decoder_stream.outputs.0.shape", ["batch", 63], "decoder_stream.outputs.audio: expected .*64"),
    ("graphs.embedding_step.outputs.0.shape", ["batch", 9, 4], "embedding_step.path.shape: expected .* 1 to 8"),
    ("graphs.embedding_step.inputs.3.shape", ["batch", 1 << 17], "embedding_step.hidden.shape"),
    ("graphs.embedding_step.outputs.1.shape", ["batch", 2], "embedding_step.outputs.next_step"),
    ("files", {}, "files.latent_map"),
    ("files.golden.file", "x/golden.npz", "files.golden.file"),
]


@pytest.mark.parametrize(("place", "value", "message"), WRONG)
def test_a_wrong_field_is_named(document: Any, place: str, value: Any, message: str) -> None:
    wrong = copy.deepcopy(document)
    target = wrong
    *parents, last = place.split(".")
    for key in parents:
        target = target[int(key) if key.isdigit() else key]
    target[last] = value
    with pytest.raises(BundleError, match=message) as raised:
        Manifest.from_dict(wrong)
    assert "\n" not in str(raised.value) and str(raised.value).isprintable()


def test_an_unexpected_state_is_named(tiny_noise: Path) -> None:
    document = json.loads((tiny_noise / "manifest.json").read_text())
    Manifest.from_dict(document)
    document["graphs"]["decoder"]["states"] = document["graphs"]["decoder"]["inputs"][:1]
    with pytest.raises(BundleError, match="graphs.decoder.states: expected none, found latent"):
        Manifest.from_dict(document)


@pytest.mark.parametrize("graph", ["decoder", "synthesis"])
def test_frames_that_do_not_fit_together_are_named(document: Any, tiny_noise: Path, graph: str) -> None:
    """The decoder of one excitation with the synthesis graph of another."""
    noise = json.loads((tiny_noise / "manifest.json").read_text())
    document["graphs"][graph] = noise["graphs"][graph]
    with pytest.raises(BundleError, match="graphs.decoder.outputs: expected magnitude") as raised:
        Manifest.from_dict(document)
    assert "\n" not in str(raised.value)


def test_only_in_format_3_the_synthesis_is_told_of_first_grains(document: Any, tiny_older: Path) -> None:
    older = json.loads((tiny_older / "manifest.json").read_text())
    assert "onset" in [tensor.name for tensor in Manifest.from_dict(older).graphs["synthesis"].inputs]
    graphs = document["graphs"], older["graphs"]
    graphs[0]["synthesis"], graphs[1]["synthesis"] = (each["synthesis"] for each in reversed(graphs))
    with pytest.raises(BundleError, match="synthesis.inputs: expected .*noise, phase, found .*noise, onset, phase"):
        Manifest.from_dict(document)
    with pytest.raises(BundleError, match="synthesis.inputs: expected .*noise, onset, phase, found .*noise, phase"):
        Manifest.from_dict(older)


@pytest.mark.parametrize(
    "key", ["format_version", "name", "created", "model_card", "attributes", "loudness", "graphs", "files"]
)
def test_a_missing_field_is_named(document: Any, key: str) -> None:
    del document[key]
    with pytest.raises(BundleError, match=f"{key}: expected a value, found none"):
        Manifest.from_dict(document)


@pytest.mark.parametrize("content", [[], None, 3, "x"])
def test_not_an_object(content: Any) -> None:
    with pytest.raises(BundleError, match="expected an object"):
        Manifest.from_dict(content)
