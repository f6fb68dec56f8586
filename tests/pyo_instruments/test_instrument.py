"""Instruments: commands are checked at once, values are kept, sent to listeners, logged, saved and loaded."""

from __future__ import annotations

import json
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ngs.pyo_instruments import ClassName, CommandError, Instrument, Number, Switch, Text, action, control

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128


class Organ(Instrument):
    """A tone; `done` records what was done, and when."""

    counts = {"track": 3}
    most_files = 1

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self.done: list[Any] = []
        self.sounds(pyo.Sig([0.25, 0.5]), {"/tempo": 90})
        self.starts = list(self.done)
        self.done.clear()

    @control("/tempo", Number("tempo", 20, 300, 120, "bpm"))
    def setTempo(self, tempo: float) -> None:
        """Beats a minute."""
        self.done.append((self.clock.now, "tempo", tempo))

    @control("/class", ClassName(open=True))
    def setClass(self, name: str) -> None:
        """What."""
        self.done.append((self.clock.now, "class", name))

    @control("/track/{track}/mute", Switch("mute"))
    def setMute(self, track: int, mute: int) -> None:
        """Silence."""
        self.done.append((self.clock.now, "mute", track, mute))

    @control("/text", Text("text", "[a-z]*", "small letters"))
    def setText(self, text: str) -> None:
        """Words."""

    @action("/hit", Number("gain", 0, 2))
    def hit(self, gain: float) -> None:
        """Now."""
        self.done.append((self.clock.now, "hit", gain))

    @action("/double")
    def double(self) -> None:
        """Twice the tempo."""
        self.setTempo(2 * self.tempo)


@pytest.fixture
def organ(room: Any, tiny_bundle: Path) -> Organ:
    return Organ(tiny_bundle)


def test_controls_are_set_to_their_starts(organ: Organ) -> None:
    assert organ.starts == [
        (0, "tempo", 90.0), (0, "class", ""), (0, "mute", 0, 0), (0, "mute", 1, 0), (0, "mute", 2, 0),
    ]  # fmt: skip
    assert organ.state() == {
        "/tempo": [90.0], "/class": [""], "/track/1/mute": [0], "/track/2/mute": [0], "/track/3/mute": [0],
        "/text": [""],
    }  # fmt: skip


def test_a_method_a_property_and_an_address_are_one(organ: Organ, room: Any) -> None:
    room.hear(2)
    organ.setTempo(100)
    organ.tempo = 110
    organ.do("/tempo", 120)
    assert organ.tempo == 90 and organ.done == []
    room.hear(1)
    assert organ.done == [(2 * BLOCK, "tempo", float(tempo)) for tempo in (100, 110, 120)]
    assert organ.tempo == 120 and Organ.tempo.__doc__ == "Beats a minute."
    organ.setMute(1, 1)
    organ.hit(0.5)
    organ.do("/tempo", 60, at=1000)
    room.hear(10)
    assert organ.done[3:] == [(384, "mute", 1, 1), (384, "hit", 0.5), (1000, "tempo", 60.0)]
    assert organ.state()["/track/2/mute"] == [1] and "/hit" not in organ.state()


def test_patterns_of_osc_mean_all_that_match(organ: Organ, room: Any) -> None:
    room.hear(1)
    organ.do("/track/*/mute", 1)
    organ.do("/track/[13]/mute", 0)
    organ.do("/track/?/mute", 1, at=500)
    room.hear(1)
    assert [each[2:] for each in organ.done] == [(0, 1), (1, 1), (2, 1), (0, 0), (2, 0)]
    room.hear(4)
    assert organ.done[5:] == [(500, "mute", track, 1) for track in range(3)]


@pytest.mark.parametrize(
    ("address", "values", "told"),
    [
        ("/tempo", (10,), "/tempo: tempo is 10: choose 20 to 300 bpm"),
        ("/tempo", (), "/tempo takes 1 argument (tempo), not 0"),
        ("/class", ("Clap",), "/class: class is 'Clap': choose one of Kick, Snare, Hat"),
        ("/track/4/mute", (1,), "There is no address /track/4/mute"),
        ("/nothing/*", (1,), "There is no address /nothing/*"),
        ("/track/*/mute", (2,), "/track/1/mute: mute is 2: choose 1 (on) or 0 (off)"),
    ],
)
def test_wrong_commands_are_refused_at_once(organ: Organ, room: Any, address: str, values: Any, told: str) -> None:
    room.hear(1)
    with pytest.raises(CommandError) as error:
        organ.do(address, *values)
    assert str(error.value).startswith(told) and "\n" not in str(error.value)
    room.hear(1)
    assert organ.done == [] and room.clock.statistics().failures == 0


def test_any_thread_may_call_and_gets_its_own_errors(organ: Organ, room: Any) -> None:
    room.hear(1)
    errors: list[str] = []

    def ask(number: int) -> None:
        organ.setMute(number, 1)
        organ.tempo = 100 + number
        try:
            organ.tempo = 1000
        except CommandError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert organ.done == [] and errors == 3 * ["/tempo: tempo is 1000: choose 20 to 300 bpm"]
    room.hear(1)
    assert sorted(each[2:] for each in organ.done if each[1] == "mute") == [(0, 1), (1, 1), (2, 1)]
    assert sorted(each[2] for each in organ.done if each[1] == "tempo") == [100, 101, 102]


def test_an_attribute_named_like_a_control_is_a_clear_error(room: Any, tiny_bundle: Path) -> None:
    class Wrong(Organ):
        def __init__(self, bundle: Any) -> None:
            self.tempo = 7
            super().__init__(bundle)

    with pytest.raises(TypeError, match="tempo is the value of /tempo: name the attribute _tempo in __init__"):
        Wrong(tiny_bundle)


def test_listeners_hear_every_value_and_the_log_every_outside_command(organ: Organ, room: Any) -> None:
    room.hear(1)
    heard: list[Any] = []
    logged: list[Any] = []
    organ.listeners.append(lambda *told: heard.append(told))
    organ.log = lambda *told: logged.append(told)
    organ.do("/double", at=200)
    organ.do("/class", "kick", at=300)
    room.hear(3)
    assert heard == [(200, "/tempo", (180.0,)), (300, "/class", ("Kick",))]
    assert logged == [(200, "/double", ()), (300, "/class", ("Kick",))]


# files


def test_saved_values_are_loaded_again(organ: Organ, room: Any, tmp_path: Path) -> None:
    organ.tempo = 77.5
    organ.do("/track/2/mute", 1)
    organ.do("/class", "Hat")
    organ.do("/text", "so")
    saved = organ.state()
    organ.save(tmp_path / "new" / "values.json")
    assert json.loads((tmp_path / "new" / "values.json").read_text()) == {"instrument": "organ", "values": saved}
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["values.json"]
    other = Organ(organ.bundle)
    room.hear(1)
    other.load(tmp_path / "new" / "values.json")
    assert other.state() != saved
    room.hear(1)
    assert other.state() == saved and {each[0] for each in other.done} == {BLOCK}


def test_values_are_saved_and_loaded_by_name_while_it_plays(organ: Organ, room: Any, tmp_path: Path) -> None:
    organ.folder, logged = tmp_path, list[str]()
    organ.log = lambda frame, address, values: logged.append(address)
    room.hear(1)
    organ.do("/save", "my set 1")
    assert (tmp_path / "my set 1.json").is_file() and logged == []
    organ.tempo = 77.5
    room.hear(1)
    organ.do("/load", "my set 1")
    room.hear(1)
    assert organ.tempo == 90 and logged == ["/tempo", "/tempo"]  # what changes, and a score needs no file
    for name in ("../values", "a/b", "", ".hidden", "x" * 65):
        with pytest.raises(CommandError, match="letters, digits, spaces"):
            organ.do("/save", name)
    with pytest.raises(CommandError, match="There is no file"):
        organ.do("/load", "nothing")
    assert [each.name for each in tmp_path.iterdir()] == ["my set 1.json"]


def test_a_file_with_a_class_name_loads(organ: Organ, tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    path.write_text('{"instrument": "Organ", "values": {"/tempo": [60]}}')  # as files were before public names
    organ.load(path)
    assert organ.tempo == 60


def test_the_public_name_follows_from_the_class_or_is_given() -> None:
    class SteamOrgan(Organ):
        """As a base class, but for the name."""

    class Calliope(Organ):
        """With a name of its own."""

        public_name = "steam-organ"

    assert (Organ.public_name, SteamOrgan.public_name, Calliope.public_name) == ("organ", "steam-organ", "steam-organ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "does not hold saved values"),
        ("[]", "does not hold saved values"),
        ('{"instrument": "Organ"}', "does not hold saved values"),
        ('{"instrument": "Organ", "values": {"/tempo": 1}}', "does not hold saved values"),
        ('{"instrument": "Organ", "values": []}', "does not hold saved values"),
        ('{"instrument": "Drum", "values": {}}', "holds values of another instrument, 'Drum'"),
        ('{"instrument": "Organ", "values": {"/volume": [1]}}', "There is no address /volume"),
        ('{"instrument": "Organ", "values": {"/track/1/mute": [1], "/tempo": [1]}}', "/tempo: tempo is 1"),
        ('{"instrument": "Organ", "values": {"/tempo": [NaN]}}', "/tempo: tempo is nan"),
    ],
)
def test_a_foreign_or_broken_file_changes_nothing(organ: Organ, tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "values.json"
    path.write_text(text)
    with pytest.raises(CommandError) as error:
        organ.load(path)
    assert told in str(error.value) and "\n" not in str(error.value)
    assert organ.done == []


def test_a_binary_file_is_refused(organ: Organ, tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="does not hold saved values"):
        organ.load(path)
    with pytest.raises(CommandError, match="There is no file"):
        organ.load(tmp_path / "none.json")


def test_an_instrument_limits_its_sound_files(room: Any, tiny_bundle: Path) -> None:
    class Mute(Instrument):
        """Plays nothing."""

    with pytest.raises(ValueError, match="mute takes no sound files, not 1"):
        Mute(tiny_bundle, files=[Path("a.wav")])
    with pytest.raises(ValueError, match="organ takes 1 sound file, not 2"):
        Organ(tiny_bundle, files=[Path("a.wav"), Path("b.wav")])


# as a pyo object


def test_it_mixes_with_the_rest_of_pyo(room: Any, tiny_bundle: Path, master: np.float32) -> None:
    organ = Organ(tiny_bundle, mul=0.5).out()
    assert len(organ) == 2
    np.testing.assert_allclose(room.hear(2)[-1], np.array([0.125, 0.25]) * master)
    organ.mul = pyo.Sig(2)
    np.testing.assert_allclose(room.hear(2)[-1], np.array([0.5, 1.0]) * master)
    organ.setAdd(-0.25)
    np.testing.assert_allclose(room.hear(2)[-1], np.array([0.25, 0.75]) * master)
    organ.stop()
    assert not room.hear(2).any()
    organ.out()
    lower = (organ * 0.5).out()
    np.testing.assert_allclose(room.hear(2)[-1], np.array([0.375, 1.125]) * master)
    assert len(lower) == 2


def test_sliders_are_the_controls_that_are_numbers(organ: Organ, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(pyo.PyoObject, "ctrl", lambda *arguments: opened.append(arguments))
    organ.ctrl(title="organ")
    assert opened == [(organ, None, "organ", False)]
    sliders = [(each.name, each.min, each.max, each.init) for each in organ._map_list]
    assert sliders == [("tempo", 20, 300, 90.0)]
    assert all(hasattr(organ, "set" + name[0].upper() + name[1:]) for name, *_ in sliders)


def test_it_is_freed_with_its_last_reference(room: Any, tiny_bundle: Path) -> None:
    organ = Organ(tiny_bundle).out()
    room.hear(1)
    gone = weakref.ref(organ)
    del organ
    assert gone() is None
    assert not room.hear(2).any() and room.clock.statistics().failures == 0


def test_patterns_match_within_parts_of_addresses(organ: Organ) -> None:
    for pattern, numbers in (
        ("/track/*/mute", (1, 2, 3)), ("/track/[12]/mute", (1, 2)), ("/track/[!2]/m*e", (1, 3)),
        ("/track/{1,3}/mute", (1, 3)), ("/t????/3/mute", (3,)), ("/track/[1-2]/mute", (1, 2)),
    ):  # fmt: skip
        for number in (1, 2, 3):
            organ.do(f"/track/{number}/mute", 0)
        organ.do(pattern, 1)
        assert [number for number in (1, 2, 3) if organ.values[f"/track/{number}/mute"] == (1,)] == [*numbers], pattern
    for pattern in ("/*", "/track/*", "/*/mute", "/track/[/mute", "/track/{1/mute", "/track//mute"):
        with pytest.raises(CommandError):
            organ.do(pattern, 1, 1, 1)


def test_a_slow_pattern_is_refused(organ: Organ) -> None:
    organ.do(f"/track/{'*' * 200}/mute", 1)  # as one
    assert organ.values["/track/3/mute"] == (1,)
    for part in ("*a" * 50 + "*", "{1,11}" * 30):
        with pytest.raises(CommandError, match="more than 3"):
            organ.do(f"/track/{part}/mute", 1)


def test_an_instrument_without_a_sound_says_so(room: Any, tiny_bundle: Path) -> None:
    class Mute(Instrument):
        """Has forgotten something."""

    with pytest.raises(TypeError, match="has no sound: end its __init__ with self.sounds"):
        Mute(tiny_bundle).out()
