"""Step patterns of a drum loop as text: a line for each class, with the 16 steps of a bar.

# four on the floor
Kick   x...x...x...x...
Hat    ..o...o...o...o.     x a hit, X an accent, o a soft one, . a rest
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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
        line = line.partition("#")[0].strip()
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

    A file may only name classes of the bundle. A built-in pattern leaves out the lines of classes that the bundle
    lacks; if the bundle has none of them, the lines go to the bundle's classes in turn. Raises PatternError.
    """
    known = {candidate.lower(): candidate for candidate in classes}
    if name in BUILT_IN:
        tracks = parse_pattern(BUILT_IN[name], name)
        fitting = [Track(known[t.class_name.lower()], t.levels) for t in tracks if t.class_name.lower() in known]
        return fitting or [Track(c, track.levels) for c, track in zip(classes, tracks, strict=False)]
    path = Path(name)
    if not path.is_file():
        raise PatternError(f"There is no pattern {name!r}: name a text file or one of {', '.join(BUILT_IN)}")
    try:
        tracks = parse_pattern(path.read_text(), name)
    except (UnicodeDecodeError, OSError) as error:
        raise PatternError(f"{name} cannot be read as text") from error
    for track in tracks:
        if track.class_name.lower() not in known:
            raise PatternError(f"{name}: there is no class {track.class_name!r}; known: {', '.join(classes)}")
    return [Track(known[track.class_name.lower()], track.levels) for track in tracks]
