"""docs/bundle-format.md names the tensors, fields, arrays and numbers of real bundles, and its code plays them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.docs.conftest import Play
from tests.docs.pages import ROOT
from tests.known_answers import KNOWN_ANSWERS

from ngs.runtime.bundle import signatures as limits
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.golden import EXPORT_TOLERANCE, FAINT, HEARD_GRAINS, TOLERANCE, largest_errors
from ngs.runtime.bundle.levels import held_levels
from ngs.runtime.bundle.manifest import FORMAT_VERSION, MAX_MANIFEST_BYTES, NAME_OF_ATTRIBUTES, REQUIRED_FILES
from ngs.runtime.bundle.seeds import sample_embeddings
from ngs.runtime.bundle.session import NO_FOLDER, make_session
from ngs.runtime.bundle.signatures import required_graphs
from ngs.runtime.bundle.specs import MAX_FILE_BYTES, GraphSpec
from ngs.runtime.chance import Draws, Purpose, philox
from ngs.runtime.dsp.grains import noise_stream
from ngs.runtime.offline.render import decode, resynthesise

PAGE = "docs/bundle-format.md"
TEXT = (ROOT / PAGE).read_text()
SECTIONS = {part.partition("\n")[0]: part for part in re.split(r"^##+ ", TEXT, flags=re.MULTILINE)[1:]}
Array = NDArray[Any]
Run = Callable[[str, dict[str, Array]], list[Array]]


def rows(section: str) -> list[list[str]]:
    """The cells of a section's only table, without its header."""
    lines = [line for line in SECTIONS[section].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


@pytest.fixture(params=["exported_bundle", "tiny_bundle", "tiny_noise"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return Bundle.open(request.getfixturevalue(request.param), "cpu")


@pytest.fixture
def code(play_page: Play) -> dict[str, Any]:
    """The variables of the page's Python, run as one file."""
    return play_page(PAGE).names


def as_host(bundle: Bundle) -> tuple[dict[str, Any], Run]:
    """What the page's code expects: the manifest as JSON, and sessions."""

    def run(graph: str, inputs: dict[str, Array]) -> list[Array]:
        outputs: list[Array] = bundle.session(graph).run(None, inputs)
        return outputs

    return json.loads(json.dumps(bundle.manifest.to_dict())), run


def sizes(bundle: Bundle) -> dict[str, int | str]:
    """The values of the page's letters for a bundle."""
    manifest = bundle.manifest

    def size(graph: str, name: str) -> int | str:
        spec = manifest.graphs[graph]
        return next((tensor.shape[1] for tensor in (*spec.inputs, *spec.outputs) if tensor.name == name), 0)

    return {
        "B": "batch", "L": manifest.grain_length, "H": manifest.hop_length, "3H": 3 * manifest.hop_length,
        "K": manifest.grain_length // 2 + 1, "Z": manifest.latent_size, "E": manifest.embedding_size, "1": 1,
        "T": manifest.path_length, "C": manifest.condition_size, "N": size("embedding_step", "path"),
        "R": size("embedding_step", "hidden"), "F": size("decoder_stream", "history"),
        "F + H": size("postprocessing", "signal"), "S": size("synthesis", "profile"),
    }  # fmt: skip


def documented(graph: str, bundle: Bundle) -> Iterator[tuple[str, str, tuple[int | str, ...]]]:
    """("in" or "out", name, shape) of each row of a graph's table; those marked * only for locked bundles."""
    letters = sizes(bundle)
    for name, side, shape, *_ in rows(graph):
        if name.endswith("*") and not bundle.manifest.graphs["synthesis"].states:
            continue
        yield side, name.strip("`*"), tuple(letters[letter] for letter in shape.strip("[]").split(", "))


@pytest.mark.parametrize("graph", (*required_graphs(FORMAT_VERSION), "onset"))
def test_tables_name_each_tensor_in_order(graph: str, bundle: Bundle) -> None:
    assert ("onset" in bundle.manifest.graphs) == bool(bundle.manifest.graphs["synthesis"].states)
    if graph not in bundle.manifest.graphs:  # noise bundles have no onset graph
        return
    spec: GraphSpec = bundle.manifest.graphs[graph]
    assert [(name, shape) for side, name, shape in documented(graph, bundle) if side == "in"] == [
        (tensor.name, tensor.shape) for tensor in spec.inputs
    ]
    assert [(name, shape) for side, name, shape in documented(graph, bundle) if side == "out"] == [
        (tensor.name, tensor.shape) for tensor in spec.outputs
    ]
    assert sizes(bundle)["F + H"] == int(sizes(bundle)["F"]) + bundle.manifest.hop_length


def test_states_are_marked_as_states(bundle: Bundle) -> None:
    for graph in ("decoder_stream", "embedding_step"):
        said = [row[0].strip("`*") for row in rows(graph) if "state" in row[4].partition(":")[0]]
        assert {state.name for state in bundle.manifest.graphs[graph].states} <= set(said)
    made = [(g.states, g.outputs) for g in bundle.manifest.graphs.values() if g.states]
    for states, outputs in made:
        assert [f"next_{state.name}" for state in states] == [output.name for output in outputs[1:]]


def fields(value: Any, at: str = "") -> set[str]:
    """The paths of all fields in JSON: [] stands for entries of a list, * for free names."""
    if isinstance(value, list):
        objects = value if at in ("attributes", "loudness") else []
        return set().union(*(fields(entry, f"{at}[]") for entry in objects))
    if not isinstance(value, dict) or at == "model_card":
        return set()
    free = at in ("graphs", "files")
    names = {key: f"{at}.{'*' if free else key}".strip(".") for key in value}
    return set().union(*(({names[key]} if not free else set()) | fields(value[key], names[key]) for key in value))


def test_fields_of_the_manifest(bundle: Bundle) -> None:
    table = {row[0].strip("`") for row in rows("Manifest")}
    assert fields(json.loads(json.dumps(bundle.manifest.to_dict()))) == table
    match = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert match and fields(json.loads(match[1])) == table


def test_numbers(bundle: Bundle) -> None:
    assert TEXT.startswith(f"# The bundle format, version {FORMAT_VERSION}\n")
    assert [row[:3] for row in rows("Manifest")][0] == ["`format_version`", "integer", str(FORMAT_VERSION)]
    assert (TOLERANCE, EXPORT_TOLERANCE, FAINT, HEARD_GRAINS) == (1e-3, 1e-4, 0.01, 16)
    assert MAX_MANIFEST_BYTES == 4 << 20 and MAX_FILE_BYTES == 1 << 30
    letters = {row.split(" | ")[0]: row for row in TEXT.splitlines() if row.startswith("| ")}
    for letter, limit in (
        ("R", limits.MAX_HIDDEN_SIZE),
        ("F", limits.MAX_HISTORY_SAMPLES),
        ("S", limits.MAX_PROFILE_POINTS),
    ):
        assert f", 1 to {limit} |" in letters[f"| {letter}"]
    for name in REQUIRED_FILES:
        assert f"`{name}.npz`" in TEXT


def test_arrays_of_the_latent_map(bundle: Bundle) -> None:
    letters = sizes(bundle) | {"A": len(bundle.manifest.attributes)}
    arrays = bundle._archive("latent_map")
    assert [row[0].strip("`") for row in rows("Latent map")] == list(arrays)
    for name, shape, dtype, _ in rows("Latent map"):
        array = arrays[name.strip("`")]
        sizes_said = shape.strip("[]").split(", ")
        assert array.ndim == len(sizes_said) and array.dtype.kind == np.dtype(dtype).kind and array.flags.c_contiguous
        for size, said in zip(array.shape, sizes_said, strict=True):
            letters.setdefault(said, size)
            assert letters[said] == size, (name, said)


def test_options_of_sessions(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    made = []
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda model, options, *others, **more: made.append(options))
    make_session((tiny_bundle / "encoder.onnx").read_bytes(), "cpu", 1, "")
    for name, value, _ in rows("onnxruntime"):
        key = name.strip("`")
        if key.startswith("session."):
            assert made[0].get_session_config_entry(key) == value.strip("`")
        elif name != "providers":
            assert getattr(made[0], key) == int(value)
    assert NO_FOLDER in TEXT


def test_golden_vectors(bundle: Bundle, code: dict[str, Any]) -> None:
    errors = code["errors"](*as_host(bundle), bundle.golden())
    assert errors == pytest.approx(largest_errors(bundle), abs=1e-9) and max(errors.values()) < TOLERANCE


@pytest.mark.parametrize("counter, key, wanted", KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(counter: str, key: str, wanted: str, code: dict[str, Any]) -> None:
    numbers = [tuple(int(word, 16) for word in words.split()) for words in (key, counter, wanted)]
    assert code["philox"](*numbers[:2]) == numbers[2]


@pytest.mark.parametrize("sound", [(0,), (3, 7), (2**64 - 1, 2**64 - 1, 2**32 - 1, 2**40)])
def test_chance_is_that_of_ngs(sound: tuple[int, ...], code: dict[str, Any]) -> None:
    assert [code[purpose.name] for purpose in Purpose if purpose < 32] == list(range(8))
    for purpose in (Purpose.EMBEDDING, Purpose.PATH_KIND):
        words = code["words"](purpose, *sound)
        numbers = philox(purpose, sound).random_raw(10).tolist()
        assert list(islice(words, 10)) == numbers
        draws, words = Draws(purpose, sound), code["words"](purpose, *sound)
        np.testing.assert_array_equal(draws.uniform(5), [code["uniform"](words) for _ in range(5)])
        np.testing.assert_array_equal(draws.below(7, 9), [code["below"](7, words) for _ in range(9)])
        normal = np.array(list(islice(code["normal"](words), 500)))
        assert normal.dtype == np.float32
        np.testing.assert_array_max_ulp(draws.normal(500), normal, 1)
        assert draws.uniform(1)[0] == code["uniform"](words)  # a pair at a time
        draws.normal(3)
        list(islice(code["normal"](words), 3))
        assert draws.uniform(1)[0] == code["uniform"](words)


def test_levels(bundle: Bundle, code: dict[str, Any]) -> None:
    conditions = np.eye(4, bundle.manifest.condition_size, -1, dtype=np.float32)  # no class, and the first classes
    embeddings = sample_embeddings(bundle, conditions, 4, 0.7, 2)
    found = [code["held_levels"](*as_host(bundle), *each) for each in zip(embeddings, conditions, strict=True)]
    np.testing.assert_allclose(found, held_levels(bundle, embeddings, conditions), rtol=1e-4)
    assert np.ptp(found) > 0


def test_noise(code: dict[str, Any]) -> None:
    for sound in ((0,), (2**64 - 1,), (5, 3, 2)):
        stream = code["noise_of"](*sound)
        np.testing.assert_array_equal(np.concatenate([stream(64), stream(3), stream(256)]), noise_stream(sound, 323))
    said = re.search(r"Seed 0 begins with ([-\d,\s]+)\.", TEXT)
    assert said and [int(number) for number in said[1].split(",")] == (noise_stream(0, 8) * 32768).tolist()


def test_a_sound_offline(bundle: Bundle, code: dict[str, Any]) -> None:
    manifest = bundle.manifest
    path = bundle.latent_map["points"][: manifest.path_length]
    condition = np.eye(manifest.condition_size, dtype=np.float32)[1]
    noise = noise_stream(3, (len(path) + 3) * manifest.hop_length)
    found = code["offline"](*as_host(bundle), path, condition, noise)
    wanted = decode(bundle, path, condition, seed=3)
    assert np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("block", [1, 17, 64, 509])
def test_voices_that_start_at_any_sample(block: int, bundle: Bundle, code: dict[str, Any]) -> None:
    """Three sounds, one in the row of another that ended, one released: each as it is offline, at its sample."""
    manifest, hop, grains = bundle.manifest, bundle.manifest.hop_length, bundle.manifest.path_length
    rng = np.random.default_rng(block)
    embedding = rng.standard_normal((4, manifest.embedding_size), dtype=np.float32)
    condition = np.eye(manifest.condition_size, dtype=np.float32)[[0, 1, 2, 0]]
    host = code["Voices"](*as_host(bundle), rows=3)
    length = (grains + 3) * hop
    starts, chosen = (0, 100, 333, length + 700), (0, 1, 2, 1)  # the last one reuses a row
    let_go = 2
    paths = bundle.run("embedding_decoder", embedding=embedding, condition=condition)[0]
    total = starts[-1] + length + 2 * block
    found, wanted = np.zeros(total, np.float32), np.zeros(total, np.float32)
    for at in range(0, total - block + 1, block):
        for number, start in enumerate(starts):
            if at <= start < at + block:
                assert chosen[number] not in host.voices
                noise = code["noise_of"](number)
                held = inf if number == let_go else grains
                host.start(chosen[number], embedding[number], condition[number], noise, held, delay=start - at)
        if let_go in host.voices and host.voices[let_go].grain >= 3 and host.voices[let_go].end == inf:
            host.release(let_go)
            released = host.voices[let_go].end
        found[at : at + block] = host.process(block)
    for number, start in enumerate(starts):
        path = paths[number][: released if number == let_go else grains]
        sound = decode(bundle, path, condition[number], seed=number)
        wanted[start : start + len(sound)] += sound
    assert not host.voices and np.abs(wanted[starts[-1] :]).max() > 1e-3 and released < grains
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_rows_do_not_mix_and_a_start_ignores_states(exported_bundle: Path) -> None:
    bundle = Bundle.open(exported_bundle, "cpu")
    golden = bundle.golden()
    for graph, spec in bundle.manifest.graphs.items():
        inputs = {tensor.name: golden[f"{graph}/{tensor.name}"].copy() for tensor in spec.inputs}
        whole = bundle.run(graph, **inputs)
        for name, values in inputs.items():
            values[1] = 0 if name in ("step", "peak") else np.nan
        inputs |= {name: np.where(inputs["onset"] > 0, np.nan, inputs[name]) for name in ("sum", "weight", "history")
                   if name in inputs}  # fmt: skip
        if "hidden" in inputs:
            inputs["hidden"] = np.where(inputs["step"] == 0, np.float32(np.nan), inputs["hidden"])
        outputs = bundle.session(graph).run(None, inputs)  # `Bundle.run` refuses NaN
        for found, wanted in zip(outputs, whole, strict=True):
            np.testing.assert_allclose(found[[0, 2]], wanted[[0, 2]], atol=1e-6)


@pytest.mark.parametrize("style", [0.0, 0.6])
@pytest.mark.parametrize("block", [1, 64, 509])
def test_resynthesis_is_late_by_a_grain_less_one_sample(
    block: int, style: float, bundle: Bundle, code: dict[str, Any]
) -> None:
    manifest = bundle.manifest
    rng = np.random.default_rng(4)
    signal = rng.uniform(-0.5, 0.5, 1100).astype(np.float32)
    condition = np.eye(manifest.condition_size, dtype=np.float32)[2]
    latency = manifest.grain_length - 1
    padded = np.concatenate((signal, np.zeros(latency, np.float32)))
    host = code["Resynthesis"](*as_host(bundle), condition, code["noise_of"](9), style)
    parts = [host.process(padded[at : at + block]) for at in range(0, len(padded), block)]
    found = np.concatenate(parts)
    wanted = resynthesise(bundle, signal, condition, style, seed=9)[: len(signal)]
    assert len(found) == len(padded) and not found[:latency].any() and np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(found[latency:], wanted, atol=1e-4)


def test_the_formats_that_the_page_promises_to_read_are_read() -> None:
    """A format that is given up needs another promise."""
    said = re.findall(r"^\| (\d+) \|.*\| (reads|refuses)[^|]*\|$", TEXT, re.MULTILINE)
    assert {int(version) for version, what in said if what == "reads"} == set(NAME_OF_ATTRIBUTES) >= {3, 4}
