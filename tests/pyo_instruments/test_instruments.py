"""Every instrument: its commands, its sound at the start, live equals offline, saved and loaded values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ngs.pyo_instruments import Choice, Instrument, Number, Switch, Whole
from ngs.pyo_instruments.commands.command import Command
from ngs.pyo_instruments.drum_and_bass import DrumAndBass
from ngs.pyo_instruments.drum_machine import DrumMachine
from ngs.pyo_instruments.keyboard import Keyboard
from ngs.pyo_instruments.morph import Morph
from ngs.pyo_instruments.path_player import PathPlayer
from ngs.pyo_instruments.resynthesiser import ResynthesisInstrument
from ngs.pyo_instruments.surfaces.key_cursor import Keys
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.offline.render import sample
from ngs.runtime.pads.hits import tune

pyo = pytest.importorskip("pyo")

Make = Callable[..., Instrument]
RATE, BLOCK = 48000, 128
NAMES = ("drum-machine", "drum-and-bass", "path-player", "morph", "keyboard", "pitched", "resynthesiser", "listening")
KEYS = (36, 38, 42, 69)
QUIET_AT_FIRST = ("keyboard", "pitched", "listening")  # until they get notes or input


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


@pytest.fixture(scope="session")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound file: one second of noise bursts."""
    path = tmp_path_factory.mktemp("sounds") / "loop.wav"
    rng, time = np.random.default_rng(0), np.arange(16000) / 16000
    bursts = np.exp(-20 * (time % 0.25)) * rng.uniform(-0.7, 0.7, 16000)
    soundfile.write(path, bursts.astype(np.float32), 16000, subtype="FLOAT")
    return path


@pytest.fixture
def make(bundle: Bundle, drums: Bundle, pitched: Bundle, loop: Path) -> Make:
    """Makes an instrument by name, with a small bundle or with the drums."""

    def made(name: str, small: bool = True, seed: int = 0) -> Instrument:
        kinds: dict[str, tuple[type[Instrument], list[Path]]] = {
            "drum-machine": (DrumMachine, []), "drum-and-bass": (DrumAndBass, []), "path-player": (PathPlayer, []),
            "morph": (Morph, [loop]), "keyboard": (Keyboard, []), "pitched": (Keyboard, []),
            "resynthesiser": (ResynthesisInstrument, [loop]), "listening": (ResynthesisInstrument, []),
        }  # fmt: skip
        kind, files = kinds[name]
        return kind(pitched if name == "pitched" else bundle if small else drums, seed, files)

    return made


def ends(command: Command) -> list[tuple[Any, ...]]:
    """The arguments at their starts and limits, and each choice."""
    start = tuple(
        each.options[0] if isinstance(each, Choice) and each.start not in each.options else each.start
        for each in command.arguments
    )
    found = [start]
    for place, argument in enumerate(command.arguments):
        values: list[Any] = []
        if isinstance(argument, Number | Whole):
            values = [argument.low, argument.high]
        elif isinstance(argument, Switch):
            values = [0, 1]
        elif isinstance(argument, Choice):
            values = list(argument.options)
        found += [(*start[:place], value, *start[place + 1 :]) for value in values]
    return found


def healthy(room: Any) -> bool:
    """Whether nothing failed or was late."""
    told, players = room.clock.statistics(), room.clock.players().values()
    bad = [each.get(name, 0) for each in players for name in ("failures", "late", "late_events", "stale", "skipped")]
    assert not any(bad) and told.failures == told.unprepared == 0, (told.last_failure, room.clock.players())
    return True


@pytest.mark.parametrize("name", NAMES)
def test_every_command_takes_its_start_and_its_limits(room: Any, make: Make, name: str) -> None:
    instrument = make(name).out()
    assert all(command.help.endswith(".") for command in instrument.commands.values())
    tracks = {f"/track/{number}/" for number in range(2, 20)}  # the first one stands for all
    for address, command in instrument.commands.items():
        if any(address.startswith(each) for each in tracks) or "/step/" in address and not address.endswith("/1"):
            continue
        if command.at_once:  # files
            continue
        for values in ends(command):
            instrument.do(address, *values)
            assert np.isfinite(room.hear(2)).all(), (address, values)
            if command.kept:
                assert instrument.values[address] == values
        if command.kept:
            instrument.do(address, *command.start)
    assert np.isfinite(room.hear(200)).all() and healthy(room)


@pytest.mark.parametrize("name", NAMES)
def test_values_are_saved_and_loaded(room: Any, make: Make, tmp_path: Path, name: str) -> None:
    instrument = make(name)
    for address, command in instrument.commands.items():
        if command.kept:
            instrument.do(address, *ends(command)[-1])
    instrument.save(tmp_path / "values.json")
    saved = json.loads((tmp_path / "values.json").read_text())["values"]
    other = make(name)
    kept = {each.address for each in other.commands.values() if each.kept} - set(instrument.unsaved)
    assert set(saved) == kept and other.state() != saved
    other.load(tmp_path / "values.json")
    for each in (other, instrument):
        assert {address: values for address, values in each.state().items() if address in kept} == saved
    assert np.isfinite(room.hear(20)).all() and healthy(room)


@pytest.mark.parametrize("name", NAMES)
def test_sliders_are_properties(room: Any, make: Make, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyo.PyoObject, "ctrl", lambda *arguments: None)
    instrument = make(name)
    instrument.ctrl()
    assert "level" in [each.name for each in instrument._map_list]
    for each in instrument._map_list:
        assert getattr(instrument, each.name) == each.init
        getattr(instrument, "set" + each.name[0].upper() + each.name[1:])(each.max)
        assert getattr(instrument, each.name) == each.max


# the sound at the start


def play_keys(instrument: Instrument, name: str) -> None:
    if name in ("keyboard", "pitched"):
        for number, key in enumerate(KEYS):
            instrument.do("/note", key, 100, at=number * 12000)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "listening"])
def test_the_sound_is_clean(room: Any, make: Make, name: str) -> None:
    instrument = make(name, small=False).out()
    play_keys(instrument, name)
    sound = room.hear_seconds(2.5)
    assert np.isfinite(sound).all() and healthy(room)
    assert 0.02 < np.abs(sound).max() < 1 and sound.std() > 0.003
    assert (np.abs(sound.mean(axis=0)) < 0.02 * np.abs(sound).max()).all()  # no DC
    if name != "pitched":  # the small bundle is not trained to sound well
        assert border_steps(sound) < 1.5
    instrument.stop()
    assert not room.hear(20).any()
    instrument.out()
    play_keys(instrument, name)
    assert room.hear_seconds(1).any() or name in QUIET_AT_FIRST


def border_steps(sound: Array) -> float:
    """Mean second difference at block borders, relative to the largest mean elsewhere in the block."""
    steps = np.abs(np.diff(sound, 2, axis=0)).sum(axis=1)
    count = len(steps) // BLOCK
    by_place = steps[: count * BLOCK].reshape(count, BLOCK).mean(axis=0)  # place k: samples k to k + 2
    border = [BLOCK - 2, BLOCK - 1]
    return float(by_place[border].max() / np.delete(by_place, border).max())


def test_a_click_at_a_block_border_would_be_found() -> None:
    smooth = np.sin(0.05 * np.arange(400 * BLOCK))[:, None].repeat(2, axis=1)
    assert border_steps(smooth) < 1.1
    smooth[::BLOCK] += 0.01
    assert border_steps(smooth) > 2


@pytest.mark.parametrize(
    ("name", "silence"),
    [
        ("drum-machine", [("/play", 0)]), ("drum-and-bass", [("/track/*/mute", 1)]),
        ("morph", [("/period", 0)]), ("pitched", [("/note", key, 0) for key in KEYS]),
        ("path-player", [("/density", 0)]), ("resynthesiser", [("/drive", 0)]), ("listening", []),
    ],
)  # fmt: skip
def test_a_silenced_instrument_rings_out(room: Any, make: Make, name: str, silence: list[tuple[Any, ...]]) -> None:
    instrument = make(name).out()
    play_keys(instrument, name)
    assert room.hear_seconds(1).any() or name == "listening"
    for command in silence:
        instrument.do(*command)
    room.hear_seconds(4 if name == "path-player" else 1.5)
    assert np.abs(room.hear(50)).max() < (1e-4 if name == "path-player" else 1e-6)  # reverb takes longer


@pytest.mark.parametrize("name", [name for name in NAMES if name not in QUIET_AT_FIRST])
def test_level_and_mul_are_factors(room: Any, make: Make, name: str) -> None:
    instrument = make(name).out()
    room.hear(100)
    instrument.do("/level", 0)
    room.hear_seconds(2 if name == "path-player" else 0.2)
    assert np.abs(room.hear(50)).max() < 0.003
    instrument.do("/level", 1)
    instrument.mul = 0
    room.hear(100)
    assert not room.hear(100).any()


# seeds, and threads


def turned(room: Any, instrument: Instrument, name: str) -> Array:
    """A second and a half of an instrument whose controls change at given frames."""
    scores: dict[str, list[tuple[Any, ...]]] = {
        "drum-machine": [
            (0, "/tempo", 160), (9000, "/track/1/pitch", 5), (15000, "/sample_path", "Snare"), (22001, "/swing", 0.4),
            (30000, "/pattern", "breakbeat"), (40000, "/track/2/fresh", 0), (50001, "/track/1/hit", 1),
        ],
        "drum-and-bass": [(4000, "/track/3/decay", 0.05), (20000, "/track/2/level", 0.3), (30001, "/track/10/hit", 1)],
        "path-player": [
            (3001, "/speed", -2), (9000, "/kind", "spiral"), (20000, "/class", "Hat"), (30001, "/map", 1),
            (40000, "/xy", 0.2, 0.9), (50001, "/pitch", 7),
        ],
        "morph": [(3001, "/morph", 0.9), (9000, "/start", 9), (20000, "/class", "Hat"), (30001, "/hit", 1)],
        "keyboard": [
            (100, "/note", 36, 100), (9001, "/note", 38, 60), (20000, "/temperature", 1.5), (40000, "/note", 42, 99),
        ],
        "pitched": [
            (100, "/note", 60, 100), (9001, "/note", 70, 60), (12000, "/bend", 1.5), (20000, "/sustain", 1),
            (24001, "/note", 60, 0), (40000, "/sustain", 0), (50000, "/note", 72, 127),
        ],
        "resynthesiser": [(3001, "/mix", 0.3), (20000, "/class", "Hat"), (30001, "/freeze", 1), (40000, "/drive", 3)],
        "listening": [],
    }  # fmt: skip
    instrument.out()
    for at, address, *values in scores[name]:
        instrument.do(address, *values, at=at)
    sound = room.hear_seconds(1.5)
    assert healthy(room)
    return np.asarray(sound)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "listening"])
def test_live_equals_offline_and_another_seed_sounds_different(rooms: Any, make: Make, name: str) -> None:
    sounds = []
    for live, seed in ((False, 0), (True, 0), (False, 1)):
        with rooms(live=live) as room:
            sounds.append(turned(room, make(name, seed=seed), name))
    assert np.abs(sounds[0]).max() > 0.05
    np.testing.assert_array_equal(sounds[0], sounds[1])
    assert not np.array_equal(sounds[0], sounds[2])


@pytest.mark.parametrize("name", ["path-player", "morph", "pitched", "resynthesiser"])
@pytest.mark.parametrize(("block", "rate"), [(16, 8000), (1024, RATE), (4096, RATE)])
def test_every_block_size_and_rate_is_in_time(
    rooms: Callable[..., Any], make: Make, name: str, block: int, rate: int
) -> None:
    with rooms(live=True, block=block, rate=rate) as room:
        instrument = make(name).out()
        if "/note" in instrument.commands:
            instrument.do("/note", KEYS[-1], 100)
        room.hear_seconds(1)
        told = room.clock.players()
        assert sum(each["late"] for each in told.values()) == 0 and room.clock.statistics().failures == 0, told


# single instruments


def test_a_drum_machine_plays_its_steps_to_the_sample(room: Any, bundle: Bundle, master: np.float32) -> None:
    drums = DrumMachine(bundle)
    for track in range(8):
        drums.setPattern(track, "." * 16)
    drums.do("/track/1/pattern", "X..x...o........")
    drums.do("/tempo", 125)  # 5760 frames per step
    drums.do("/track/1/pan", -1)
    drums.do("/track/1/level", 1)
    drums.out()
    heard = room.hear_seconds(2)[:, 0] / master
    wanted = np.zeros(len(heard), np.float32)
    for number, (step, gain) in enumerate(((0, 1.0), (3, None), (7, None), (16, 1.0))):
        sound = tune(sample(bundle, bundle.condition("Kick"), 1.0, 0, number * 8), 8000, 0, RATE)
        at = step * 5760
        part = heard[at : at + min(len(sound), 3 * 5760)]
        loudness = float(part @ sound[: len(part)] / (sound[: len(part)] @ sound[: len(part)]))
        assert gain is None or abs(loudness - gain) < 0.01
        wanted[at : at + len(part)] += np.float32(loudness) * sound[: len(part)]
    np.testing.assert_allclose(heard, wanted, atol=2e-3)


def test_the_screen_shows_which_tracks_repeat_and_the_values_of_the_one_under_the_cursor(
    room: Any, bundle: Bundle
) -> None:
    drums = DrumMachine(bundle)
    keys = Keys(drums)
    for key in ("down", "f", "m", "u", "k", "k", "i", "down", "j", "h", "y", "up"):
        assert keys.press(key) == ""
    lines = drums.screen(keys.cursor)
    assert [line.split()[-1] for line in lines[1:4]] == ["new", "M", "new"] and lines[2].split()[-2] == "same"
    assert lines[-1] == "track 2   level 0.85   pan 0.2   pitch 1   decay 0"
    assert drums.screen({"track": 2})[-1] == "track 3   level 0.75   pan -0.1   pitch -1   decay 0"
    assert max(map(len, lines)) < 80


def test_the_path_player_shows_the_map_while_it_is_on_it(room: Any, bundle: Bundle) -> None:
    player = PathPlayer(bundle)
    keys, without = Keys(player), len(player.screen())
    assert keys.press("m") == ""
    shown = player.screen()
    assert len(shown) == without + 18 and "".join(shown[-17:-1]).count("O") == 1
    (before,) = (line.index("O") for line in shown[-17:-1] if "O" in line)
    for key in ("right", "right", "up"):
        assert keys.press(key) == ""
    assert player.values["/xy"] == (0.54, 0.55)
    (after,) = (line.index("O") for line in player.screen()[-17:-1] if "O" in line)
    assert before < after
    for _ in range(60):
        keys.press("left")
    assert player.values["/xy"][0] == 0


def test_the_last_hit_is_kept_as_a_file(room: Any, bundle: Bundle, tmp_path: Path) -> None:
    drums = DrumMachine(bundle, seed=3)
    drums.folder = tmp_path
    with pytest.raises(ValueError, match="has not sounded yet"):
        drums.do("/track/2/keep")
    drums.out()
    drums.do("/play", 0)
    for _ in range(2):
        drums.do("/track/2/hit", 1)
        room.hear(10)
    assert drums.do("/track/2/keep") == f"Saved {tmp_path / 'Snare-1.wav'}"
    sound, rate = soundfile.read(tmp_path / "Snare-1.wav", dtype="float32")
    wanted = tune(sample(bundle, bundle.condition("Snare"), 1.0, 3, 1 * 8 + 1), 8000, 0, RATE)
    assert rate == RATE
    peak = np.abs(wanted).max()
    wanted *= 0.999 / peak if peak >= 1 else 1.0  # a file holds less than 1
    np.testing.assert_allclose(sound, wanted, atol=2**-22)


def test_a_machine_with_fewer_tracks_has_fewer_keys(room: Any, bundle: Bundle) -> None:
    class Four(DrumMachine):
        counts = {"track": 4, "step": 16}

    keys = Keys(Four(bundle))
    told = dict(line.split(maxsplit=1) for line in keys.help())
    assert told["1-4"] == "hit the track with that number" and "no address /track/5/hit" in keys.press("5")


@pytest.mark.parametrize("seed", [0, 3])
def test_a_morph_of_files_begins_with_them(room: Any, bundle: Bundle, tmp_path: Path, seed: int) -> None:
    files = []
    for number in range(2):
        files.append(tmp_path / f"{number}.wav")
        soundfile.write(files[-1], np.sin(np.arange(4000) * 0.1 * (1 + number)), 8000)
    assert [Morph(bundle, seed, files[:count])._morpher._ends for count in range(3)] == [
        (2 * seed + 1, 2 * seed + 2), (files[0], 2 * seed + 2), tuple(files),
    ]  # fmt: skip


def test_loading_values_does_not_restart_it(room: Any, bundle: Bundle, tmp_path: Path) -> None:
    drums = DrumMachine(bundle)
    drums.folder = tmp_path
    room.hear_seconds(1)
    drums.do("/save", "set")
    drums.do("/tempo", 90)
    room.hear(1)
    place = drums.transport.place(room.clock.frame)
    drums.do("/load", "set")
    room.hear(1)
    assert drums.tempo == 122 and 0 < drums.transport.place(room.clock.frame) - place < 0.1
    assert "/play" not in json.loads((tmp_path / "set.json").read_text())["values"]


def test_listeners_are_told_each_step(room: Any, make: Make) -> None:
    drums = make("drum-machine")
    told: list[tuple[int, Any]] = []
    drums.listeners.append(lambda frame, address, values: told.append((frame, values[0])) if "pos" in address else None)
    drums.do("/tempo", 125)
    room.hear_seconds(2.2)
    assert [step for _, step in told] == [number % 16 + 1 for number in range(len(told))] and len(told) == 19
    assert [frame // BLOCK for frame, _ in told] == [number * 5760 // BLOCK for number in range(19)]


def test_solo_plays_alone_and_mute_plays_nothing(room: Any, make: Make) -> None:
    drums = make("drum-machine")
    triggered = [0] * 8
    hit = drums.hits.hit

    def count(stream: int = 0, gain: float = 1.0, offset: int = 0) -> None:
        triggered[stream] += 1
        hit(stream, gain, offset)

    drums.hits.hit = count
    drums.do("/track/*/pattern", "x" * 16)
    drums.do("/track/2/mute", 1)
    room.hear_seconds(1)
    assert triggered[1] == 0 and min(triggered[:1] + triggered[2:]) > 5
    before = triggered.copy()
    drums.do("/track/4/solo", 1)
    room.hear_seconds(1)
    assert [after - earlier > 5 for after, earlier in zip(triggered, before, strict=True)] == [n == 3 for n in range(8)]


def test_a_resynthesiser_loops_its_file(room: Any, bundle: Bundle, loop: Path) -> None:
    resynthesiser = ResynthesisInstrument(bundle, files=[str(loop)])
    resynthesiser.do("/mix", 0)
    resynthesiser.out()
    heard = room.hear_seconds(2.5)
    np.testing.assert_allclose(heard[RATE // 2 : RATE, 0], heard[RATE // 2 + RATE : 2 * RATE, 0], atol=1e-6)
    np.testing.assert_array_equal(heard[:, 0], heard[:, 1])
    assert heard.std() > 0.05


def test_keys_of_drums_play_their_class(room: Any, bundle: Bundle) -> None:
    keyboard = Keyboard(bundle)
    played: list[tuple[int, float]] = []
    keyboard._player.hit = lambda stream, gain: played.append((stream, gain))
    for key, velocity in ((36, 127), (38, 64), (42, 32), (38, 0), (37, 1)):
        keyboard.do("/note", key, velocity)
    assert [stream for stream, _ in played[:3]] == [0, 1, 2]
    np.testing.assert_allclose([gain for _, gain in played[:3]], [1, 64 / 127, 32 / 127])
    assert room.clock.statistics().failures == 0


def test_the_sustain_pedal_holds_notes(room: Any, pitched: Bundle) -> None:
    keyboard = Keyboard(pitched).out()
    keyboard.do("/note", 60, 100)
    keyboard.do("/sustain", 1)
    keyboard.do("/note", 60, 0)
    assert room.hear_seconds(1)[-BLOCK:].any()
    keyboard.do("/sustain", 0)
    room.hear_seconds(0.5)
    assert not room.hear(10).any() and healthy(room)
