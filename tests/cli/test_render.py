"""`ngs render`: every form, the names of its files, its seeds, and one line for every error."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ngs.cli.render.forms import BUILT_IN, render
from ngs.cli.render.job import Job
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.dsp.audio_files import AudioError, read_audio, write_audio
from ngs.runtime.dsp.sound_reader import CANCELLING
from ngs.runtime.offline import patterns
from ngs.runtime.offline.render import decode_embeddings, embed

FORMS = ("reconstruct", "resynth", "sample", "vary", "path", "morph", "loop")
COMMANDS: dict[str, list[str]] = {
    "reconstruct": ["reconstruct", "in.wav"],
    "resynth": ["resynth", "in.wav", "--class", "snare"],
    "sample": ["sample", "--class", "Kick"],
    "vary": ["vary", "in.wav", "--class", "Kick"],
    "path": ["path", "--kind", "circle", "--seconds", "1", "--condition", "class=Hat"],
    "morph": ["morph", "--from", "1", "--to", "in.wav", "--steps", "3"],
    "loop": ["loop", "--pattern", "house", "--bars", "1"],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: holds in.wav, 1000 samples at 8 kHz."""
    monkeypatch.chdir(tmp_path)
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 1000)
    soundfile.write("in.wav", sound, 8000, subtype="PCM_24")
    return tmp_path


def run(bundle: Path, *arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(
        render, [str(bundle), *arguments, "--provider", "cpu", "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    summary: dict[str, Any] = json.loads(result.stdout)
    return summary


@pytest.mark.parametrize("form", FORMS)
def test_a_form_writes_sound_and_says_so(tiny_bundle: Path, place: Path, form: str) -> None:
    summary = run(tiny_bundle, *COMMANDS[form])
    (file,) = summary["files"]
    sound, rate = soundfile.read(file)
    assert rate == summary["sample_rate"] == 8000
    assert len(sound) / rate == pytest.approx(summary["seconds"])
    assert 0 < np.abs(sound).max() < 1
    assert summary["peak"] == pytest.approx(np.abs(sound).max(), abs=1e-6)
    assert sorted(os.listdir()) == sorted(["in.wav", file])


@pytest.mark.parametrize("form", FORMS)
def test_the_same_seed_is_the_same_bytes(tiny_bundle: Path, tiny_zip: Path, place: Path, form: str) -> None:
    contents = []
    for bundle, seed, name in ((tiny_bundle, 1, "a.wav"), (tiny_zip, 1, "b.wav"), (tiny_bundle, 2, "c.wav")):
        run(bundle, *COMMANDS[form], "--seed", str(seed), "-o", name)
        contents.append(Path(name).read_bytes())
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize("form", FORMS)
def test_raw_levels_change_drawn_sounds_and_paths_alone(tiny_bundle: Path, place: Path, form: str) -> None:
    sounds = []
    for levels in ("held", "raw"):
        run(tiny_bundle, *COMMANDS[form], "--levels", levels, "-o", f"{levels}.wav")
        sounds.append(Path(f"{levels}.wav").read_bytes())
    assert (sounds[0] == sounds[1]) == (form in ("reconstruct", "resynth"))


def test_names_and_lengths(tiny_bundle: Path, place: Path) -> None:
    assert run(tiny_bundle, "sample", "--class", "kick")["files"] == ["sample-Kick-0.wav"]
    assert run(tiny_bundle, "sample", "--class", "kick", "--count", "2")["files"] == [
        "sample-Kick-0-0.wav", "sample-Kick-0-1.wav",
    ]  # fmt: skip
    assert run(tiny_bundle, "sample", "--count", "2", "-o", "x.flac")["files"] == ["x-0.flac", "x-1.flac"]
    into = run(tiny_bundle, "sample", "--count", "2", "--class", "Hat", "-o", "made/here")["files"]
    assert into == ["made/here/sample-Hat-0-0.wav", "made/here/sample-Hat-0-1.wav"]
    assert run(tiny_bundle, "reconstruct", "in.wav")["seconds"] == 1000 / 8000
    assert run(tiny_bundle, "resynth", "in.wav")["seconds"] == (16 + 3) * 64 / 8000
    assert run(tiny_bundle, "path", "--seconds", "2")["seconds"] == 2
    loop = run(tiny_bundle, "loop", "--bpm", "125", "--bars", "3", "--sample-rate", "44100", "-o", "l.wav")
    assert soundfile.info(loop["files"][0]).frames == round(3 * 4 * 60 / 125 * 44100)


def test_sound_number_i_is_the_same_for_every_count(tiny_bundle: Path, place: Path) -> None:
    run(tiny_bundle, "sample", "-o", "one.wav")
    run(tiny_bundle, "sample", "--count", "3", "-o", "many.wav")
    sounds = [Path(f"many-{index}.wav").read_bytes() for index in range(3)]
    assert Path("one.wav").read_bytes() == sounds[0] and len(set(sounds)) == 3


def test_without_a_class_each_sound_has_one(tiny_bundle: Path, place: Path) -> None:
    files = run(tiny_bundle, "sample", "--count", "20")["files"]
    assert {name.split("-")[1] for name in files} == {"Kick", "Snare", "Hat"}


def test_temperature_0_is_one_embedding(tiny_bundle: Path, place: Path) -> None:
    first, other = (
        run(tiny_bundle, "sample", "--class", "Hat", "--temperature", value, "-o", f"{value}.wav")["peak"]
        for value in ("0", "2")
    )
    assert first != other


def test_no_variation_is_the_sound_through_the_embedding(tiny_bundle: Path, place: Path) -> None:
    raw = ("--levels", "raw", "--amount", "0", "--seed", "4", "-o", "same.wav")
    run(tiny_bundle, "vary", "in.wav", "--class", "Hat", *raw)
    bundle = Bundle.open(tiny_bundle, "cpu")
    condition = bundle.condition("Hat")
    embedding = embed(bundle, read_audio(Path("in.wav"), 8000), condition)
    (wanted,) = decode_embeddings(bundle, embedding[None], condition[None], [4])
    write_audio(Path("wanted.wav"), wanted, 8000)
    assert Path("same.wav").read_bytes() == Path("wanted.wav").read_bytes()


def test_a_whole_variation_is_a_sample(tiny_bundle: Path, place: Path) -> None:
    run(tiny_bundle, "vary", "in.wav", "--class", "Hat", "--amount", "1", "--count", "3", "-o", "new.wav")
    run(tiny_bundle, "sample", "--class", "Hat", "--count", "3", "-o", "drawn.wav")
    for index in range(3):
        new, drawn = (soundfile.read(f"{name}-{index}.wav")[0] for name in ("new", "drawn"))
        np.testing.assert_allclose(new, drawn, atol=2e-3)


def test_variations_are_numbered_and_do_not_depend_on_their_count(tiny_bundle: Path, place: Path) -> None:
    assert run(tiny_bundle, "vary", "in.wav", "--seed", "2")["files"] == ["vary-in-2.wav"]
    files = run(tiny_bundle, "vary", "in.wav", "--seed", "2", "--count", "3", "-o", "folder")["files"]
    assert files == [f"folder/vary-in-2-{index}.wav" for index in range(3)]
    sounds = [Path(file).read_bytes() for file in files]
    assert Path("vary-in-2.wav").read_bytes() == sounds[0] and len(set(sounds)) == 3


def sound_of(bundle: Path, *arguments: str) -> bytes:
    return Path(run(bundle, *arguments, "-o", "out.wav")["files"][0]).read_bytes()


def test_style_and_class_are_heard(tiny_bundle: Path, place: Path) -> None:
    plain = ("resynth", "in.wav", "--style", "0")
    assert sound_of(tiny_bundle, "resynth", "in.wav") == sound_of(tiny_bundle, "resynth", "in.wav", "--style", "1")
    assert sound_of(tiny_bundle, "resynth", "in.wav") != sound_of(tiny_bundle, *plain)
    assert sound_of(tiny_bundle, "path", "--class", "Hat") != sound_of(tiny_bundle, "path")


def test_a_bundle_of_format_3_has_style_0(tiny_older: Path, place: Path) -> None:
    assert sound_of(tiny_older, "resynth", "in.wav") == sound_of(tiny_older, "resynth", "in.wav", "--style", "0")
    result = CliRunner().invoke(render, [str(tiny_older), "resynth", "in.wav", "--style", "0.5"])
    assert result.exit_code != 0 and "knows no style" in str(result.exception or result.output)


def test_a_bundle_of_format_3_varies_sounds_too(tiny_older: Path, place: Path) -> None:
    files = run(tiny_older, "vary", "in.wav", "--class", "Snare", "--count", "2", "-o", "drums")["files"]
    assert Path(files[0]).read_bytes() != Path(files[1]).read_bytes()


@pytest.mark.parametrize("kind", ["linear", "back-and-forth", "circle", "spiral", "walk"])
def test_every_kind_of_path(tiny_bundle: Path, place: Path, kind: str) -> None:
    assert run(tiny_bundle, "path", "--kind", kind, "--seconds", "0.5")["peak"] > 0


@pytest.mark.parametrize("rate", [4000, 44100])
def test_other_rates(tiny_bundle: Path, place: Path, rate: int) -> None:
    summary = run(tiny_bundle, "resynth", "in.wav", "--sample-rate", str(rate), "-o", "out.flac")
    assert soundfile.info("out.flac").samplerate == rate
    assert summary["seconds"] == pytest.approx(19 * 64 / 8000, abs=1e-3)


def test_a_morph_begins_and_ends_with_its_sounds(tiny_bundle: Path, place: Path) -> None:
    steps = run(tiny_bundle, "morph", "--from", "1", "--to", "2", "--steps", "4", "--class", "Kick", "-o", "m.wav")
    again = run(tiny_bundle, "morph", "--from", "2", "--to", "1", "--steps", "4", "--class", "Kick", "-o", "n.wav")
    assert steps["seconds"] == again["seconds"]
    length = (8 + 3) * 64
    forward, backward = soundfile.read("m.wav")[0], soundfile.read("n.wav")[0]
    np.testing.assert_allclose(forward[:length], backward[-length:], atol=1e-6)
    np.testing.assert_allclose(forward[-length:], backward[:length], atol=1e-6)


def test_a_pattern_file(tiny_bundle: Path, place: Path) -> None:
    Path("beat.txt").write_text("kick x...x...x...x...\nhat ..o...o...o...o. # soft\n")
    assert run(tiny_bundle, "loop", "--pattern", "beat.txt", "--bars", "1")["files"] == ["loop-beat-0.wav"]


def test_help_names_the_built_in_patterns() -> None:
    assert tuple(patterns.BUILT_IN) == BUILT_IN


@pytest.mark.parametrize("form", FORMS)
def test_help_of_a_form_needs_no_bundle(form: str) -> None:
    for bundle in ([], ["no.ngs"], ["--bundle", "no.ngs"]):
        result = CliRunner().invoke(render, [*bundle, form, "--help"])
        assert result.exit_code == 0 and f"ngs render {form} " in result.output


def ngs(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from ngs.cli.main import main; main()", *arguments], capture_output=True, text=True
    )


ERRORS: list[tuple[list[str], str]] = [
    (["sample", "--class", "Gong"], "no class 'Gong'.*known: Kick, Snare, Hat"),
    (["sample", "--condition", "pitch=C4"], "no attribute 'pitch'"),
    (["sample", "--condition", "pitch"], "ATTRIBUTE=CLASS"),
    (["sample", "-o", "x.mp3"], "wav or a .flac"),
    (["sample", "-o", "in.wav/x.wav"], "in.wav/x.wav cannot be written"),
    (["sample", "--seed", "-1"], "seed"),
    (["resynth", "text.wav"], "text.wav cannot be read as sound"),
    (["resynth", "nan.wav"], "nan.wav holds NaN"),
    (["resynth", "nothing.wav"], "nothing.wav"),
    (["morph", "--from", "1", "--to", "nothing"], "nothing"),
    (["vary", "in.wav", "--amount", "1.5"], "--amount.*1.5"),
    (["vary", "in.wav", "--count", "0"], "--count"),
    (["vary", "nothing.wav"], "nothing.wav"),
    (["vary", "in.wav", "--class", "Gong"], "no class 'Gong'"),
    (["path", "--kind", "zigzag"], "zigzag"),
    (["loop", "--pattern", "polka"], "polka.*house"),
    (["loop", "--class", "Kick"], "leave it out"),
]


@pytest.mark.parametrize(("arguments", "message"), ERRORS)
def test_an_error_is_one_line_and_nothing_is_written(
    tiny_bundle: Path, place: Path, arguments: list[str], message: str
) -> None:
    Path("text.wav").write_text("la la la")
    soundfile.write("nan.wav", np.array([0.0, np.nan]), 8000, subtype="FLOAT")
    before = sorted(os.listdir())
    result = ngs("render", str(tiny_bundle), *arguments)
    assert result.returncode != 0 and result.stdout == ""
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 and "Traceback" not in result.stderr
    assert re.search(message, errors[0]), errors[0]
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize("form", [["resynth"], ["reconstruct"], ["vary", "--class", "Kick"]])
def test_silence_is_not_written_without_a_word(tiny_bundle: Path, place: Path, form: list[str]) -> None:
    soundfile.write("silent.wav", np.zeros(1000), 8000)
    soundfile.write("offset.wav", np.full(1000, 0.5), 8000)
    for name in ("silent.wav", "offset.wav"):
        for as_json in ([], ["--json"]):
            result = CliRunner().invoke(render, [str(tiny_bundle), form[0], name, *form[1:], "-o", "out.wav", *as_json])
            assert result.exit_code == 0, result.output
            assert f"Remark: {name} is silent (below -60 dB)\n" in result.stderr
            assert not as_json or json.loads(result.stdout)["files"] == ["out.wav"]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_silent_result_is_named(
    tiny_bundle: Path, place: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    job = Job(Bundle.open(tiny_bundle, "cpu"), None, 8000, 0, {}, as_json)
    for name, level in (("silent.wav", 0.0), ("quiet.wav", 5e-4), ("heard.wav", 2e-3)):
        job.write(Path(name), level * np.cos(np.arange(999, dtype=np.float32)))
    assert capsys.readouterr().err == "".join(
        f"Remark: {name} is silent (below -60 dB)\n" for name in ("silent.wav", "quiet.wav")
    )


def test_channels_that_cancel_each_other_are_heard(tiny_bundle: Path, place: Path) -> None:
    sound = soundfile.read("in.wav")[0]
    soundfile.write("wide.wav", np.stack([0.5 * sound, -sound], 1), 8000, subtype="PCM_24")
    soundfile.write("wider.wav", np.stack([0.99 * sound, -sound], 1), 8000, subtype="PCM_24")
    soundfile.write("one.wav", -sound, 8000, subtype="PCM_24")
    assert sound_of(tiny_bundle, "resynth", "wider.wav") == sound_of(tiny_bundle, "resynth", "one.wav")
    assert sound_of(tiny_bundle, "resynth", "wide.wav") != sound_of(tiny_bundle, "resynth", "one.wav")
    result = ngs("render", str(tiny_bundle), "resynth", "wider.wav", "-o", "out.wav")
    assert result.returncode == 0 and result.stderr == f"Remark: wider.wav {CANCELLING}\n"


def test_names_that_no_terminal_prints(tiny_bundle: Path, place: Path) -> None:
    for raw in (b"Schl\xe4gel.wav", b"e\x1b[31m.wav", b"n\nl.wav"):
        name = os.fsdecode(raw)
        Path(name).write_bytes(Path("in.wav").read_bytes())
        for arguments in (["resynth", name], ["resynth", name, "-o", f"out-{name}"], ["resynth", f"gone-{name}"]):
            result = ngs("render", str(tiny_bundle), *arguments)
            assert result.returncode == (1 if "gone" in arguments[1] else 0), result.stderr
            assert "Traceback" not in result.stderr
            assert all(line.isprintable() for line in (result.stdout + result.stderr).splitlines())
            assert (result.stdout + result.stderr).count("\n") == 1
        assert Path(f"out-{name}").exists()


@pytest.mark.parametrize("name", ["pipe.wav", "loop.wav", "/dev/zero", "."])
def test_what_is_no_file_is_refused_and_not_waited_for(tiny_bundle: Path, place: Path, name: str) -> None:
    os.mkfifo("pipe.wav")
    Path("loop.wav").symlink_to("loop.wav")
    result = CliRunner().invoke(render, [str(tiny_bundle), "resynth", name])
    assert isinstance(result.exception, AudioError)


def test_a_file_that_is_not_a_bundle(place: Path) -> None:
    result = ngs("render", "in.wav", "loop")
    assert result.returncode == 1 and result.stderr.startswith("Error: in.wav is not a bundle")
    assert len(result.stderr.splitlines()) == 1
