"""Exported graphs compute what the torch modules compute, and a run becomes a bundle that plays."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tests.tiny import tiny_arrays, tiny_manifest

from ngs.export.encoding import encode_excerpts
from ngs.export.envelope import Envelopes
from ngs.export.golden import Reference
from ngs.export.graphs import bundle_graphs
from ngs.export.loudness import LoudnessFit
from ngs.export.onnx_export import export_graph
from ngs.export.run_to_bundle import export_run
from ngs.export.style import Style
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.golden import largest_errors
from ngs.runtime.bundle.levels import predicted_levels
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.bundle.seeds import sample_embeddings
from ngs.runtime.bundle.session import make_session
from ngs.runtime.bundle.specs import LOUDNESS_PERCENTILES
from ngs.runtime.bundle.writer import write_bundle
from ngs.runtime.dsp.grains import noise_grains
from ngs.runtime.dsp.locked_tones import HAS_FFT32
from ngs.runtime.dsp.loudness import grain_loudness, loudness
from ngs.runtime.dsp.timbre import explained, timbre
from ngs.runtime.offline.render import decode, decode_embeddings, resynthesise
from ngs.training.config import load_preset, override
from ngs.training.learning.checkpoints import load_model
from ngs.training.learning.excerpts import read_excerpts
from ngs.training.model.excitation import NEIGHBOUR, PROMINENCE
from ngs.training.model.model import NeuralGranularModel
from ngs.training.model.overlap_add import overlap_add
from ngs.training.run_folder import RunError

FAST = ["grain.latent_size=16", "embedding.hidden_size=16", "embedding.embedding_size=4"]
PAPER = ["grain.channels=8", "grain.latent_size=12", "grain.stages=3", "embedding.hidden_size=16"]
KINDS = {
    "fast": ("fast", FAST),
    "fast, noise": ("fast", [*FAST, "grain.excitation=noise"]),
    "paper": ("paper-16k", PAPER),
}
NAMES = [
    "encoder", "decoder", "onset", "synthesis", "postprocessing", "decoder_stream",
    "embedding_encoder", "embedding_decoder", "embedding_step", "prior", "prior_inverse", "style", "loudness",
]  # fmt: skip
FIT = LoudnessFit(1.7, torch.tensor([-60.0, -62.0, -64.0, -61.0]))
Exported = tuple[NeuralGranularModel, dict[str, bytes]]


@pytest.fixture(scope="module", params=KINDS)
def exported(request: pytest.FixtureRequest) -> Exported:
    """An untrained model in which every parameter has an effect, and its graphs."""
    torch.manual_seed(0)
    shared = ["audio.grain_length=256", "audio.path_length=8", "grain.hidden_size=16", "grain.postprocessing_taps=17"]
    preset, changes = KINDS[request.param]
    config = override(load_preset(preset), [*shared, *changes])
    model = NeuralGranularModel(config, (3, 2)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        if preset == "fast":
            model.start_from_pca(torch.randn(100, 256) * torch.rand(100, 1), torch.eye(100, 1))
        model.start_embedding(torch.randn(20, 8, config.grain.latent_size), torch.ones(20))
        condition = torch.eye(5)[torch.arange(40) % 3] + torch.eye(5)[3 + torch.arange(40) % 2]
        mean = torch.randn(40, config.embedding.embedding_size)
        model.embedding.prior.fit(mean, torch.rand_like(mean), condition, torch.ones(40))
    return model, {name: export_graph(graph) for name, graph in bundle_graphs(*parts_of(model)).items()}


def parts_of(model: NeuralGranularModel) -> tuple[NeuralGranularModel, Style, LoudnessFit, Envelopes]:
    """What the graphs are made of, with a corpus of noise, always the same."""
    generator = torch.Generator().manual_seed(4)
    audio = 0.5 * torch.rand(12, 8 * 64, generator=generator) - 0.25
    labels = torch.stack((torch.arange(12) % 3, torch.arange(12) % 2), 1)
    excerpts = encode_excerpts(model, audio, labels)
    return model, Style(model, excerpts, ()), FIT, Envelopes(model, excerpts)


@torch.no_grad()
def expected(model: NeuralGranularModel, name: str, inputs: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """By the trained modules themselves, not those rewritten for export."""
    return Reference(*parts_of(model))(
        name, dict(zip(bundle_graphs(*parts_of(model))[name].inputs, inputs, strict=True))
    )


def conditions(count: int) -> torch.Tensor:
    """One class of each attribute, none in the last row: [count, 5]."""
    result = torch.eye(5)[torch.arange(count) % 3] + torch.eye(5)[3 + torch.arange(count) % 2]
    result[-1] = 0
    return result


@torch.no_grad()
def clear_latents(model: NeuralGranularModel, condition: torch.Tensor, count: int = 1) -> torch.Tensor:
    """For each condition [N, C] the `count` latents whose peaks rounding is least likely to move: [N * count, Z]."""
    drawn = torch.randn(400, model.config.grain.latent_size, generator=torch.Generator().manual_seed(3))
    chosen = []
    for row in condition:
        spectra = model.decoder.coefficients(drawn, row.expand(len(drawn), -1))[:, :129]
        prominence = spectra[:, NEIGHBOUR:-NEIGHBOUR] - spectra.unfold(1, 2 * NEIGHBOUR + 1, 1)[..., [0, -1]].mean(-1)
        decisions = (spectra.diff(dim=1), spectra[:, 2:] - spectra[:, :-2], prominence - PROMINENCE)
        chosen.append(drawn[torch.cat(decisions, 1).abs().amin(1).topk(count).indices])
    return torch.cat(chosen)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [1, 5])
def test_a_graph_agrees_with_torch(exported: Exported, name: str, batch: int) -> None:
    model, graphs = exported
    if name not in graphs:
        assert name == "onset" and not model.decoder.excitation.has_phase
        return
    graph = bundle_graphs(*parts_of(model))[name]
    generator = torch.Generator().manual_seed(batch)
    condition = conditions(batch)
    latent = clear_latents(model, condition)
    real = {
        "condition": condition,
        "latent": latent,
        "onset": torch.eye(batch, 1),
        "amount": torch.linspace(0, 1, batch)[:, None],
    }
    real |= {"step": torch.arange(batch)[:, None].float(), "weight": torch.full((batch, 192), 2.0)}
    frame = expected(model, "decoder", [latent, condition])  # the inputs of the synthesis
    real |= dict(zip(bundle_graphs(*parts_of(model))["decoder"].outputs, frame, strict=True))
    inputs = [
        real.get(key, torch.rand(batch, *shape, generator=generator) * 2 - 1) for key, shape in graph.inputs.items()
    ]
    session = make_session(graphs[name], "cpu", 1, name)
    outputs = session.run(list(graph.outputs), {
        key: value.numpy() for key, value in zip(graph.inputs, inputs, strict=True)
    })  # fmt: skip
    for key, found, wanted in zip(graph.outputs, outputs, expected(model, name, inputs), strict=True):
        assert found.shape == wanted.shape and found.dtype == np.float32
        difference = found - wanted.numpy()
        if key in ("phase", "next_phase"):  # 0 and 1 are the same phase
            difference -= difference.round()
        np.testing.assert_allclose(difference / max(1.0, float(wanted.abs().max())), 0, atol=1e-4)


@torch.no_grad()
def test_hops_of_the_stream_are_the_whole_sound(exported: Exported) -> None:
    """Two sounds as rows; the second starts two hops later, in a row that another sound has left its state in."""
    model, graphs = exported
    condition, grains, late = conditions(2), 9, 2
    path = clear_latents(model, condition, grains).reshape(2, grains, -1)
    noise = torch.rand(2, (grains + 3) * 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    windows = noise.unfold(1, 256, 64)
    whole = model.postprocessing(overlap_add(model.decoder.grains(model.coefficients(path, condition), windows)))
    session = make_session(graphs["decoder_stream"], "cpu", 1, "decoder_stream")
    names = [output.name for output in session.get_outputs()]
    state = {
        tensor.name: np.full((2, *tensor.shape[1:]), np.nan, np.float32)  # an onset ignores the state
        for tensor in session.get_inputs()
        if f"next_{tensor.name}" in names
    }
    found = np.zeros((2, (grains + late) * 64), np.float32)
    for hop in range(grains + late):
        places = [min(hop, grains - 1), max(hop - late, 0)]
        feeds = {
            "latent": path[[0, 1], places], "condition": condition, "noise": windows[[0, 1], places],
            "onset": torch.tensor([[hop == 0], [hop <= late]]).float(), "level": torch.ones(2, 1),
        }  # fmt: skip
        given = {key: value.numpy() for key, value in feeds.items()}
        if "onset" in graphs:  # sounds begin with its grain and its phases
            starts = {key: given[key] for key in ("latent", "condition", "noise")}
            given["motion"] = np.zeros((2, 8), np.float32)
            given["first"], phase = make_session(graphs["onset"], "cpu", 1, "onset").run(None, starts)
            state["phase"] = np.where(given["onset"] > 0, phase, state["phase"])
        values = session.run(None, {**given, **state})
        outputs = dict(zip(names, values, strict=True))
        found[:, hop * 64 : (hop + 1) * 64] = outputs["audio"]
        state = {name: outputs[f"next_{name}"] for name in state}
    assert whole.abs().amax(1).min() > 0.01
    np.testing.assert_allclose(found[0, : grains * 64], whole[0], atol=1e-4)
    np.testing.assert_allclose(found[1, late * 64 :], whole[1], atol=1e-4)


@torch.no_grad()
def test_a_grain_of_level_0_is_silent_and_the_sound_rings_out(exported: Exported) -> None:
    model, graphs = exported
    condition = conditions(1)
    session = make_session(graphs["decoder_stream"], "cpu", 1, "decoder_stream")
    names = [output.name for output in session.get_outputs()]
    feeds = {tensor.name: np.zeros((1, *tensor.shape[1:]), np.float32) for tensor in session.get_inputs()}
    feeds |= {"latent": clear_latents(model, condition).numpy(), "condition": condition.numpy()}
    feeds["noise"] = np.random.default_rng(0).uniform(-1, 1, (1, 256)).astype(np.float32)
    if "onset" in graphs:
        start = {name: feeds[name] for name in ("latent", "condition", "noise")}
        feeds["first"], feeds["phase"] = make_session(graphs["onset"], "cpu", 1, "onset").run(None, start)
    peaks = []
    for hop in range(6):
        feeds["onset"][:], feeds["level"][:] = hop == 0, hop == 0
        outputs = dict(zip(names, session.run(None, feeds), strict=True))
        feeds |= {name: outputs[f"next_{name}"] for name in feeds if f"next_{name}" in outputs}
        peaks.append(float(np.abs(outputs["audio"]).max()))
    assert min(peaks[:4]) > 1e-6 and peaks[5] == 0


@torch.no_grad()
def test_steps_of_the_embedding_are_its_path(exported: Exported) -> None:
    model, graphs = exported
    size, condition = model.config.embedding.embedding_size, conditions(3)
    embedding = torch.randn(3, size, generator=torch.Generator().manual_seed(2))
    length = 2 * model.config.audio.path_length  # it continues past the last step of training
    whole = model.embedding.decode(embedding, condition, length)
    session = make_session(graphs["embedding_step"], "cpu", 1, "embedding_step")
    step, hidden = np.zeros((3, 1), np.float32), np.zeros((3, session.get_inputs()[3].shape[1]), np.float32)
    found = []
    for _ in range(length // model.config.embedding.grains_per_step):
        feeds = {"embedding": embedding.numpy(), "condition": condition.numpy(), "step": step, "hidden": hidden}
        path, step, hidden = session.run(None, feeds)
        found.append(path)
    np.testing.assert_allclose(np.concatenate(found, 1), whole, atol=1e-4)


@pytest.mark.parametrize("by_graph", [False, True])
@pytest.mark.parametrize("grains", [1, 24])
def test_a_bundle_decodes_as_torch_does(
    exported: Exported, grains: int, by_graph: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both when numpy fills many grains at once and when the graph does it, as it does live."""
    model, graphs = exported
    config = model.config
    manifest = replace(
        tiny_manifest(), latent_size=config.grain.latent_size, embedding_size=config.embedding.embedding_size,
        attributes=(Attribute("class", ("a", "b", "c")), Attribute("pitch", ("low", "high"))),
    )  # fmt: skip
    write_bundle(tmp_path / "a.ngs", manifest, graphs, tiny_arrays(graphs))
    condition = conditions(2)[:1]
    path = clear_latents(model, condition, grains)
    noise = torch.from_numpy(noise_grains(4, grains, 256).copy())[None]
    monkeypatch.setattr("ngs.training.model.model.noise_grains", lambda *arguments: noise)
    with torch.no_grad():
        expected_sound = model.decode(path[None], condition)[0]
    bundle = Bundle.open(tmp_path / "a.ngs", "cpu")
    assert (bundle.filling is not None) == (config.grain.excitation == "locked" and HAS_FFT32)
    if by_graph:
        bundle.filling = None
    found = decode(bundle, path.numpy(), condition[0].numpy(), seed=4, tail=False)
    assert found.shape == expected_sound.shape and np.abs(found).max() > 0.01
    np.testing.assert_allclose(found, expected_sound, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_has_only_standard_operators_and_a_dynamic_batch(exported: Exported, name: str) -> None:
    model, graphs = exported
    if name not in graphs:
        assert name == "onset" and not model.decoder.excitation.has_phase
        return
    content = onnx.load_from_string(graphs[name])
    onnx.checker.check_model(content, full_check=True)
    assert {entry.domain for entry in content.opset_import} == {""} and not content.functions
    assert {node.domain for node in content.graph.node} <= {""}
    assert not {node.op_type for node in content.graph.node} & {"If", "Loop", "Scan", "DFT", "STFT", "RandomUniform"}
    graph = bundle_graphs(*parts_of(model))[name]
    assert [value.name for value in content.graph.input] == list(graph.inputs)
    assert [value.name for value in content.graph.output] == list(graph.outputs)
    for value in (*content.graph.input, *content.graph.output):
        batch, *sizes = value.type.tensor_type.shape.dim
        assert batch.dim_param and all(size.dim_value > 0 for size in sizes)


def test_an_exported_bundle_opens_and_agrees(exported_bundle: Path, trained_run: Path) -> None:
    bundle = Bundle.open(exported_bundle, provider="cpu")
    manifest, (_, info, _) = bundle.manifest, load_model(trained_run)
    assert max(largest_errors(bundle).values()) < 1e-4
    assert sorted(manifest.graphs) == sorted(NAMES) and manifest.name == "drums"
    assert (manifest.sample_rate, manifest.grain_length, manifest.hop_length) == (8000, 256, 64)
    assert (manifest.latent_size, manifest.embedding_size, manifest.path_length) == (16, 4, 8)
    assert manifest.attributes == info.attributes
    assert str(trained_run.parent) not in str(manifest.to_dict())  # nobody's folders
    points = bundle.latent_map["points"]
    assert points.shape[1] == 16 and 0 < len(points) <= 2000
    assert np.unique(bundle.latent_map["labels"]).tolist() == list(range(8))


def test_the_manifest_has_the_loudness_of_the_excerpts(exported_bundle: Path, trained_run: Path) -> None:
    bundle, (audio, labels) = Bundle.open(exported_bundle), read_excerpts(trained_run)
    real = np.array([loudness(signal, bundle.manifest.sample_rate) for signal in audio.numpy()])
    for label, found in enumerate(bundle.manifest.loudness):
        own = real[labels[:, 0].numpy() == label] if label < 8 else real
        np.testing.assert_allclose(found.real, np.percentile(own, LOUDNESS_PERCENTILES), atol=0.01)


def test_the_loudness_of_drawn_sounds_is_predicted(exported_bundle: Path) -> None:
    bundle = Bundle.open(exported_bundle)
    conditions = np.eye(8, bundle.manifest.condition_size, dtype=np.float32).repeat(8, axis=0)
    embeddings = sample_embeddings(bundle, conditions, len(conditions), 1.0, 7)
    quiet = np.full(len(conditions), 0.01, np.float32)  # for the limiter
    sounds = decode_embeddings(bundle, embeddings, conditions, [*range(len(conditions))], quiet)
    found = np.array([loudness(sound, bundle.manifest.sample_rate) + 40 for sound in sounds])
    predicted, _ = predicted_levels(bundle, embeddings, conditions)
    assert np.std(found - predicted) < 0.5 * np.std(found) and abs(np.median(found - predicted)) < 1
    medians = np.median(predicted.reshape(8, 8), axis=1)
    # medians of eight sounds each of a model of a few steps, whose sounds range over 40 dB
    assert np.median(np.abs(medians - [each.drawn[2] for each in bundle.manifest.loudness[:8]])) < 6


def test_the_map_has_the_loudness_of_its_grains(exported_bundle: Path) -> None:
    bundle = Bundle.open(exported_bundle)
    points, labels = bundle.latent_map["points"], bundle.latent_map["labels"][:, 0]
    condition = np.eye(8, bundle.manifest.condition_size, dtype=np.float32)[labels]
    magnitude = bundle.run("decoder", latent=points, condition=condition)[0]
    found = grain_loudness(magnitude, bundle.manifest.sample_rate)
    np.testing.assert_allclose(bundle.latent_map["loudness"], found, atol=0.2)  # points are in 16 bits


def test_the_axes_of_the_map_follow_timbre(exported_bundle: Path) -> None:
    bundle = Bundle.open(exported_bundle)
    points, components = bundle.latent_map["points"], bundle.latent_map["components"]
    condition = np.zeros((len(points), bundle.manifest.condition_size), np.float32)
    timbres = timbre(bundle.run("decoder", latent=points, condition=condition)[0], bundle.manifest.sample_rate)
    shares = [explained(points @ axis[:, None], timbres) for axis in components]
    assert shares[0] == max(shares) and explained(points @ components[:2].T, timbres) > 0.5
    np.testing.assert_allclose(components @ components.T, np.eye(8), atol=1e-5)


def test_a_run_becomes_one_file_and_replaces_bundles_only(
    trained_run: Path, exported_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = list(Bundle.open(exported_bundle, "cpu").manifest.graphs)  # in the order in which they are exported
    made = iter([(exported_bundle / f"{name}.onnx").read_bytes() for name in names] * 2)  # compared again
    monkeypatch.setattr("ngs.export.run_to_bundle.export_graph", lambda graph: next(made))
    path = tmp_path / "one.ngs"
    path.write_text("a text")
    with pytest.raises(BundleError, match="not a bundle"):
        export_run(trained_run, path, "one", zipped=True)
    assert path.read_text() == "a text"
    path.unlink()
    errors = export_run(trained_run, path, "one", zipped=True)
    assert sorted(errors) == sorted(NAMES) and max(errors.values()) < 1e-4
    assert zipfile.is_zipfile(path) and Bundle.open(path, provider="cpu").manifest.name == "one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["one.ngs"]


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run that a test may damage."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


def test_a_run_that_has_only_grains_is_one_line(run: Path, tmp_path: Path) -> None:
    for name in ("prior", "embedding"):
        (run / "checkpoints" / f"{name}.ckpt").unlink()
    with pytest.raises(RunError, match="grains only so far: go on with `ngs train --out .* --resume`"):
        export_run(run, tmp_path / "x.ngs", "x", zipped=False)
    assert not (tmp_path / "x.ngs").exists()


def test_nothing_to_export_is_one_line(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        export_run(tmp_path, tmp_path / "x.ngs", "x", zipped=False)
    (run / "excerpts.npz").write_bytes(b"garbage")
    with pytest.raises(RunError, match="excerpts.npz is missing or damaged"):
        export_run(run, tmp_path / "x.ngs", "x", zipped=False)


@pytest.mark.parametrize("style", [0.0, 0.5, 1.0])
def test_silence_stays_silent_in_every_style(exported_bundle: Path, style: float) -> None:
    bundle = Bundle.open(exported_bundle, "cpu")
    signal = np.zeros(6000, np.float32)
    assert not resynthesise(bundle, signal, bundle.condition({}), style, seed=0).any()
    signal[2000:2100] = 0.5
    assert resynthesise(bundle, signal, bundle.condition({}), style, seed=0).any()
