"""The browser host (examples/web) plays what Python plays, and its page works in Chromium."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import browser
from tests.browser import program
from tests.known_answers import KNOWN_ANSWERS

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import held_levels
from ngs.runtime.bundle.seeds import drawn_embedding
from ngs.runtime.chance import Draws, Purpose
from ngs.runtime.dsp.grains import noise_grains
from ngs.runtime.offline.render import decode, sample

HERE = Path(__file__).resolve().parent
LOUDNESS = 0.5 * 0.9**2  # the initial level of the page
GRAINS = 60  # a sound that is longer than the page's buffer
PYTHON_SERVER = (sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1")
Drive = Callable[..., dict[str, Any]]
Serve = Callable[[Path], AbstractContextManager[str]]


@pytest.fixture(scope="module")
def node() -> str:
    return program("node", "nodejs npm")


@pytest.fixture(scope="module")
def site() -> Path:
    return browser.site()


@contextmanager
def served(command: Sequence[str | Path], cwd: Path) -> Iterator[str]:
    """Run a server; yields the address that it prints in its first line."""
    with subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            address = re.search(r"http://[\w.]+:\d+/", line)
            assert address, f"The server did not start: {line}"
            yield address[0]
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def serve(site: Path, node: str) -> Serve:
    """Serve the page with a bundle through serve.mjs, on a free port."""
    return lambda bundle: served([node, site / "serve.mjs", bundle, "0"], site)


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Drive:
    """Run tasks of drive.mjs on the page at an address."""
    folder = tmp_path_factory.mktemp("chromium")

    def run(url: str, *tasks: str, **options: object) -> dict[str, Any]:
        return browser.drive(HERE / "drive.mjs", folder, url=url, tasks=tasks, **options)

    return run


def expected(bundle: Bundle, embedding: Array, choice: str, seed: int) -> Array:
    """What ngs plays, before silence is cut off its end."""
    condition = bundle.condition({bundle.manifest.attributes[0].name: choice})
    path = bundle.run("embedding_decoder", embedding=embedding[None], condition=condition[None])[0][0]
    level = held_levels(bundle, embedding[None], condition[None])[0]
    return decode(bundle, path, condition, seed, level=level)


def expected_note(bundle: Bundle, embedding: Array, choice: str, seed: int, grains: int) -> Array:
    """The same sound with another length."""
    condition = bundle.condition({bundle.manifest.attributes[0].name: choice})
    fixed = {"embedding": embedding[None], "condition": condition[None]}
    states = bundle.manifest.graphs["embedding_step"].states
    state = {spec.name: np.zeros((1, *map(int, spec.shape[1:])), np.float32) for spec in states}
    parts: list[Array] = []
    while sum(map(len, parts)) < grains:
        path, *following = bundle.run("embedding_step", **fixed, **state)
        parts.append(path[0])
        state = dict(zip(state, following, strict=True))
    levels = held_levels(bundle, embedding[None], condition[None])[0]
    level = np.pad(levels, (0, grains - len(levels)), mode="edge")
    return decode(bundle, np.concatenate(parts)[:grains], condition, seed, level=level)


def added(sounds: Sequence[tuple[int, Array]], length: int) -> Array:
    mix = np.zeros(length, np.float32)
    for start, sound in sounds:
        mix[start : start + len(sound)] += sound
    return mix


def linked(site: Path, target: Path, *names: str) -> None:
    """Link the page's files, and some more, into another folder."""
    for path in (*site.glob("*.*"), *(site / name for name in names)):
        (target / path.name).symlink_to(path)


def changed(bundle: Path, target: Path, **fields: object) -> Path:
    shutil.copytree(bundle, target)
    manifest = json.loads((target / "manifest.json").read_text())
    (target / "manifest.json").write_text(json.dumps({**manifest, **fields}))
    return target


def run_module(site: Path, node: str, text: str) -> Any:
    """What a module beside the page's prints as JSON; `show` prints it."""
    show = "const show = (value) => console.log(JSON.stringify(value));"
    command = [node, "--input-type=module", "--eval", show + text]
    result = subprocess.run(command, cwd=site, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("counter, key, wanted", KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(site: Path, node: str, counter: str, key: str, wanted: str) -> None:
    numbers = [", ".join(f"0x{word}n" for word in words.split()) for words in (key, counter)]
    text = f"""
        import {{ Philox }} from "./chance.js";
        const words = new Int32Array(8);
        new Philox([{numbers[0]}], [{numbers[1]}]).next(words);
        show([...new BigUint64Array(words.buffer)].map((word) => word.toString(16)));
    """
    assert run_module(site, node, text) == wanted.split()


def test_blocks_are_counted_in_64_bits(site: Path, node: str) -> None:
    """Beyond 2 ** 32, which no sound reaches."""
    text = """
        import { Philox } from "./chance.js";
        const words = new Int32Array(8), both = new BigUint64Array(words.buffer);
        const blocks = new Philox([7, 1], [2 ** 32 - 1, 3, 0, 0]);
        show([1, 2, 3].map(() => (blocks.next(words), String(both[3]))));
    """
    wanted = np.random.Philox(key=[7, 1], counter=[2**32 - 2, 3, 0, 0]).random_raw(12)[3::4]
    assert [int(word) for word in run_module(site, node, text)] == wanted.tolist()


@pytest.mark.parametrize("seed", [(0, 0), (1, 5), (2**32 + 7, 0), (2**64 - 1, 2**63 + 3)])
def test_chance_is_the_same_as_in_python(site: Path, node: str, seed: tuple[int, int]) -> None:
    text = f"""
        import {{ EMBEDDING, NOISE, NoiseStream, normal, philox }} from "./chance.js";
        const noise = new NoiseStream(philox(NOISE, {seed[0]}n, {seed[1]}n), 256, 64);
        const noises = Array.from({{ length: 40 }}, () => [...noise.next()]);
        show([noises, [...normal(philox(EMBEDDING, {seed[0]}n, {seed[1]}n), 501)]]);
    """
    noise, drawn = (np.array(each, np.float32) for each in run_module(site, node, text))
    np.testing.assert_array_equal(noise, noise_grains(seed, 40, 256))
    np.testing.assert_array_max_ulp(drawn, Draws(Purpose.EMBEDDING, seed).normal(501), 1)


def test_a_bad_seed_is_one_line(site: Path, node: str) -> None:
    text = """
        import { philox } from "./chance.js";
        const problem = (...numbers) => {
          try {
            philox(...numbers);
          } catch (error) {
            return error.message;
          }
        };
        show([problem(0, 2n ** 64n), problem(0, 0, -1)]);
    """
    assert run_module(site, node, text) == [
        "seed is 18446744073709551616: choose a whole number from 0 to 2 ** 64 - 1",
        "index is -1: choose a whole number from 0 to 2 ** 64 - 1",
    ]


def test_a_seed_is_the_same_sound_as_in_python(serve: Serve, drive: Drive, exported_bundle: Path) -> None:
    """From the seed alone: sound 4 of it as `ngs render sample` draws it, before silence is cut off its end."""
    bundle = Bundle.open(exported_bundle, "cpu")
    attribute, seed = bundle.manifest.attributes[0], (11, 4)
    choices = {attribute.name: attribute.classes[1]}
    voice = {"start": 0, "choices": choices, "seed": str(seed[0]), "index": seed[1], "temperature": 0.7}
    with serve(exported_bundle) as url:
        found = drive(url, "render", bundle="bundle.ngs", sounds=[[voice]])
    assert found["errors"] == []
    wanted = sample(bundle, bundle.condition(choices), 0.7, *seed)[: -bundle.manifest.hop_length]  # that fades
    assert np.abs(wanted).max() > 0.01
    np.testing.assert_allclose(found["render"][0][: len(wanted)], wanted, atol=1e-4)


@pytest.mark.parametrize("name", ["tiny_bundle", "tiny_noise", "tiny_older", "exported_bundle"])
def test_sounds_are_the_same_as_in_python(
    name: str, serve: Serve, drive: Drive, site: Path, request: pytest.FixtureRequest
) -> None:
    """Two classes alone, then both at once, where the second starts between two hops."""
    folder: Path = request.getfixturevalue(name)
    bundle = Bundle.open(folder, "cpu")
    manifest = bundle.manifest
    hop, attribute = manifest.hop_length, manifest.attributes[0]
    embeddings = np.random.default_rng(5).standard_normal((2, manifest.embedding_size)).astype(np.float32)
    seeds, classes = (3, 2**63 - 25), attribute.classes[:2]
    voices = [
        {"start": 0, "choices": {attribute.name: chosen}, "seed": str(seed), "embedding": embedding.tolist()}
        for chosen, seed, embedding in zip(classes, seeds, embeddings, strict=True)
    ]
    late = {**voices[1], "start": 3, "offset": 5}
    with serve(folder) as url:
        found = drive(url, "render", bundle="bundle.ngs", sounds=[[voices[0]], [voices[1]], [voices[0], late]])
    assert found["errors"] == []
    alone = [
        expected(bundle, embedding, chosen, seed)
        for embedding, chosen, seed in zip(embeddings, classes, seeds, strict=True)
    ]
    both = added([(0, alone[0]), (3 * hop + 5, alone[1])], len(alone[1]) + 4 * hop)
    for sound, wanted in zip(found["render"], (*alone, both), strict=True):
        assert np.abs(wanted).max() > 0.01
        np.testing.assert_allclose(sound, wanted, atol=1e-4)


def test_the_audio_thread_plays_what_it_is_given(site: Path, node: str) -> None:
    result = subprocess.run(
        [node, "--test", HERE / "worklet.test.mjs"],
        env={**os.environ, "SITE": str(site)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout


def check_presses(found: dict[str, Any], bundle: Bundle, choice: str, seed: int) -> None:
    """Each press plays what Python plays, then silence. The worker may be late, but not every time."""
    assert found["errors"] == []
    underruns, whole = 0, 0
    condition = bundle.condition({bundle.manifest.attributes[0].name: choice})
    for number, press in enumerate(found["play"]["presses"]):
        sound = np.array(press["sound"], np.float32)
        drawn = drawn_embedding(bundle, condition, 1.0, seed + number)
        wanted = LOUDNESS * expected_note(bundle, drawn, choice, seed + number, GRAINS)
        assert np.abs(sound).max() > 0.1 * np.abs(wanted).max() > 1e-3
        if press["underruns"] == underruns:
            start = int(np.flatnonzero(sound)[0]) - int(np.flatnonzero(wanted)[0])
            np.testing.assert_allclose(sound[start : start + len(wanted)], wanted, atol=1e-4)
            assert not sound[start + len(wanted) :].any()
            whole += 1
        underruns = press["underruns"]
    assert whole > 0


def test_the_page_plays_a_class(serve: Serve, drive: Drive, tiny_bundle: Path, tmp_path: Path) -> None:
    with serve(changed(tiny_bundle, tmp_path / "note.ngs", path_length=GRAINS)) as url:
        found = drive(url, "play", choice="Hat", seed=11, presses=3)
    assert found["play"]["isolated"]
    check_presses(found, Bundle.open(tiny_bundle, "cpu"), "Hat", 11)


def test_voices_overlap_and_the_page_fits(serve: Serve, drive: Drive, tiny_bundle: Path, tmp_path: Path) -> None:
    """With sounds that last longer than the test."""
    with serve(changed(tiny_bundle, tmp_path / "long.ngs", path_length=60000)) as url:
        found = drive(url, "overlap", "look", pictures=str(tmp_path))
    assert found["errors"] == []
    assert [Path(name).stat().st_size > 5000 for name in found["look"]["names"]] == [True, True]
    assert found["look"]["overflow"] <= 0  # nothing is wider than a phone


def test_the_page_plays_from_any_server(site: Path, drive: Drive, tiny_bundle: Path, tmp_path: Path) -> None:
    """Python's server sends no isolation headers, so samples travel as messages. First a folder, then a chosen file."""
    with zipfile.ZipFile(tmp_path / "note.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in changed(tiny_bundle, tmp_path / "note.ngs", path_length=GRAINS).iterdir():
            archive.write(file, file.name)
    linked(site, tmp_path, "node_modules")
    (tmp_path / "bundle.ngs").symlink_to(tiny_bundle)
    with served(PYTHON_SERVER, tmp_path) as url:
        found = drive(url, "choose", "play", choice="Kick", seed=4, presses=3, file=str(tmp_path / "note.zip"))
    assert not found["play"]["isolated"]
    check_presses(found, Bundle.open(tiny_bundle, "cpu"), "Kick", 4)


def test_an_error_is_one_line(site: Path, drive: Drive, tiny_bundle: Path, tmp_path: Path) -> None:
    linked(site, tmp_path, "node_modules")
    (tmp_path / "bare").mkdir()
    linked(site, tmp_path / "bare")
    changed(tiny_bundle, tmp_path / "newer.ngs", format_version=99)
    (changed(tiny_bundle, tmp_path / "lacking.ngs") / "decoder_stream.onnx").unlink()
    swapped = changed(tiny_bundle, tmp_path / "swapped.ngs")
    shutil.copy(swapped / "decoder.onnx", swapped / "decoder_stream.onnx")
    with served(PYTHON_SERVER, tmp_path) as url:
        pages = ["?bundle=newer.ngs", "?bundle=nowhere.ngs", "?bundle=lacking.ngs/", "?bundle=swapped.ngs", "bare/"]
        found = drive(url, visits=[{"url": url + page, "broken": True} for page in pages])["problems"]
    assert [line for line, name in found if name == "No bundle"] == [
        "manifest.json: format_version: expected 3 or 4, found 99",
        f"{url}nowhere.ngs is missing (404)",
        f"{url}lacking.ngs/decoder_stream.onnx is missing (404)",
        "decoder_stream.onnx is not the file that was exported: copy the bundle again or export it anew",
        "worker.js cannot be loaded: `npm ci` brings what it needs",
    ]


def test_an_error_keeps_the_bundle_that_plays(serve: Serve, drive: Drive, tiny_bundle: Path, tmp_path: Path) -> None:
    torn, empty = tmp_path / "torn.ngs", tmp_path / "empty.ngs"
    torn.write_bytes(b"PK\x03\x04 and no more")
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("notes.txt", "none")
    visits = [{"file": str(torn)}, {"file": str(empty)}, {"without": "AudioWorkletNode", "press": True}]
    with serve(tiny_bundle) as url:
        found = drive(url, visits=visits)
    assert found["errors"] == []
    assert [line for line, name in found["problems"] if name == "tiny"] == [
        "This is not a bundle: neither a folder nor a whole zip archive",
        "manifest.json is missing",
        "There is no AudioWorklet here: take a current browser, and open this page on localhost or over https",
    ]


def test_serve_serves_its_folders_only(serve: Serve, tiny_bundle: Path) -> None:
    with serve(tiny_bundle) as url:
        host, port = url.removeprefix("http://").rstrip("/").split(":")
        for path, status in {
            "/bundle.ngs/manifest.json": 200, "/host.js": 200, "/": 200, "/bundle.ngs/../../../etc/passwd": 404,
            "/..%2f..%2fREADME.md": 404, "/bundle.ngs/%2e%2e/%2e%2e/conftest.py": 404, "/nothing": 404,
        }.items():  # fmt: skip
            connection = HTTPConnection(host, int(port), timeout=10)
            connection.request("GET", path)
            assert connection.getresponse().status == status, path
            connection.close()


@pytest.mark.parametrize(
    "what, line",
    [("text", "is not a bundle: .*"), ("folder", "is not a bundle: .*"), ("missing", "does not exist: .*")],
)
def test_serve_takes_bundles_only(what: str, line: str, site: Path, node: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("words")
    (tmp_path / "folder").mkdir()
    command = [node, site / "serve.mjs", tmp_path / what, "0"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(rf"{re.escape(str(tmp_path / what))} {line}\n", result.stderr), result.stderr
