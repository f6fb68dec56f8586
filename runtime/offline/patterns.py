"""Step patterns of a drum loop as text: a line for each class, with the 16 steps of a bar.

# four on the floor
Kick   x...x...x...x...
Hat    ..o...o...o...o.     x a hit, X an accent, o a soft one, . a rest
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ngs.runtime.drum_names import fitting_class, same_class
from ngs.runtime.spelling import on_disk

STEPS = 16
LEVELS = {"x": 0.7, "X": 1.0, "o": 0.35}
BUILT_IN = {
    "house": """
        Kick    X...X...X...X...
        Clap    ....x.......x...
        Hat     ..x...x...x...xo
        Ride    ........o.......
        Cowbell ...........o..o.
    """,
    "breakbeat": """
        Kick    X.x.......xx....
        Snare   ....X..o.o..X..o
        Hat     x.x.x.x.x.x.x.x.
        Crash   o...............
    """,
    "drum-and-bass": """
        Kick    X.........x.....
        Snare   ....X..o.o..X...
        Hat     x.o.x.o.x.o.x.oo
        Break   X...............
        Bass    x.....x.....x...
        Pad     o...............
        Cymbal  o...............
        Perc    ......o....o..o.
    """,
    "electro": """
        Kick    X.....x...x..x..
        Snare   ....X.......X...
        Hat     xoxoxoxoxoxoxoxo
        Cowbell ..x..x....x..x..
        Tom     ..............oo
        Clap    ....o.......o...
    """,
}


class PatternError(ValueError):
    """A pattern that cannot be read, or that names a class which the bundle does not have."""


@dataclass(frozen=True)
class Track:
    """The steps of one class."""

    class_name: str
    levels: tuple[float, ...]  # of each step; 0 is a rest

    @property
    def text(self) -> str:
        """The steps as a pattern writes them."""
        symbols = {level: symbol for symbol, level in LEVELS.items()}
        return "".join(symbols.get(level, ".") for level in self.levels)


def parse_pattern(text: str, source: str) -> list[Track]:
    """The tracks of a pattern. Raises PatternError, which names `source` and the line."""
    tracks = []
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.partition("#")[0].expandtabs(1).strip()
        if not line:
            continue
        name, _, steps = line.rpartition(" ")
        if len(steps) != STEPS or set(steps) - {*LEVELS, "."} or not name:
            raise PatternError(f"{source}, line {number}: expected a class and {STEPS} steps, each one of x X o .")
        tracks.append(Track(name.strip(), tuple(LEVELS.get(step, 0.0) for step in steps)))
    if not tracks:
        raise PatternError(f"{source} has no line with a class and {STEPS} steps")
    return tracks


def load_pattern(name: str, classes: tuple[str, ...]) -> list[Track]:
    """A built-in pattern by name, or one from a text file, for a bundle with these classes.

    A line is played by the class of its name in any spelling, else by the one that fits best: Hat by Closed Hats, if
    there are no others. Lines of one class are one track, at each step the loudest. A file may name nothing else. A
    built-in pattern leaves out the lines that no class fits; if none fits any, the lines go to the bundle's classes in
    turn. Raises PatternError.
    """
    if name in BUILT_IN:
        tracks = parse_pattern(BUILT_IN[name], name)
        players = _players(tracks, classes)
        fitting = [Track(player, track.levels) for track in tracks if (player := players[track.class_name]) is not None]
        return _merged(fitting) or [Track(c, track.levels) for c, track in zip(classes, tracks, strict=False)]
    path = on_disk(Path(name))
    if not path.is_file():
        raise PatternError(f"There is no pattern {name!r}: name a text file or one of {', '.join(BUILT_IN)}")
    try:
        tracks = parse_pattern(path.read_text("utf-8-sig"), name)
    except (UnicodeDecodeError, OSError) as error:
        raise PatternError(f"{name} cannot be read as text") from error
    players, played = _players(tracks, classes), []
    for track in tracks:
        player = players[track.class_name]
        if player is None:
            raise PatternError(f"{name}: there is no class {track.class_name!r}; known: {', '.join(classes)}")
        played.append(Track(player, track.levels))
    return _merged(played)


def _merged(tracks: list[Track]) -> list[Track]:
    """A track for each class, in the order of their first lines."""
    merged: dict[str, Track] = {}
    for track in tracks:
        before = merged.get(track.class_name, track).levels
        merged[track.class_name] = Track(track.class_name, tuple(map(max, before, track.levels)))
    return list(merged.values())


def _players(tracks: list[Track], classes: tuple[str, ...]) -> dict[str, str | None]:
    """The class that plays each name on the lines; one that a line names plays no other line for want of a better."""
    named = {track.class_name: same_class(track.class_name, classes) for track in tracks}
    free = [each for each in classes if each not in named.values()]
    return {name: same if same is not None else fitting_class(name, free) for name, same in named.items()}
