"""Which room of ngs imports which, read from the source, and the table in pyproject.toml that says which may.

A room is an entry of `[tool.ngs.floors]`: a sub-package, one module, or, under the name of a package, the rest of that
package. Beside it stand the rooms that it may import. The table runs from the bottom up, and a room names only earlier
ones, so there are no circles.
"""

from __future__ import annotations

import ast
import graphlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
Floors = dict[str, list[str]]


class Import(NamedTuple):
    file: str
    line: int
    importer: str  # a module's dotted name without "ngs."
    imported: str
    for_types: bool  # under `if TYPE_CHECKING:`, so that it never runs


def load_floors(root: Path = ROOT) -> Floors:
    floors: Floors = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["ngs"]["floors"]
    return floors


def packages(floors: Floors) -> list[str]:
    return list(dict.fromkeys(room.partition(".")[0] for room in floors))


def modules(floors: Floors, root: Path = ROOT) -> dict[str, Path]:
    """The modules of all packages, without "ngs.", and their files below the root."""
    files = [file.relative_to(root) for package in packages(floors) for file in sorted((root / package).rglob("*.py"))]
    return {".".join(file.with_suffix("").parts).removesuffix(".__init__"): file for file in files}


def room_of(module: str, floors: Floors) -> str:
    """The longest entry of the table that a module is in, or else the module itself: a room on no floor."""
    parts = module.split(".")
    entries = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((entry for entry in entries if entry in floors), module)


def read_imports(floors: Floors, root: Path = ROOT) -> list[Import]:
    """Every import of one module of ngs by another, including those inside functions.

    A name that is imported from the face of a package counts as an import of the module that has it. A string that is
    the name of a module, or that and a dot, counts as its import, except in the face of the module's own package.
    """
    files = modules(floors, root)
    trees = {module: ast.parse((root / file).read_text()) for module, file in files.items()}
    names = {module: list(_imported_names(tree)) for module, tree in trees.items()}
    homes = {
        f"{package}.{name.rpartition('.')[2]}": name.rpartition(".")[0]
        for package in packages(floors)
        for _, name, for_types in names.get(package, ())
        if for_types
    }
    found = []
    for module, file in files.items():
        for line, name, for_types in names[module]:
            imported = name if name in files else homes.get(name, name.rpartition(".")[0])
            if imported in files and imported != module:
                found.append(Import(file.as_posix(), line, module, imported, for_types))
        for line, name in _strings(trees[module]):
            own_face = module in packages(floors) and name.startswith(f"{module}.")
            if name in files and name != module and not own_face:
                found.append(Import(file.as_posix(), line, module, name, False))
    return found


def _imported_names(tree: ast.AST, for_types: bool = False) -> Iterator[tuple[int, str, bool]]:
    """The line and the dotted name of each import from ngs, and whether it is for type checkers only."""
    names = []
    if isinstance(tree, ast.Import):
        names = [alias.name for alias in tree.names]
    elif isinstance(tree, ast.ImportFrom):
        names = [f"{tree.module}.{alias.name}" for alias in tree.names]
    yield from ((tree.lineno, name.removeprefix("ngs."), for_types) for name in names if name.startswith("ngs."))
    guarded = isinstance(tree, ast.If) and ast.unparse(tree.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    for child in ast.iter_child_nodes(tree):
        yield from _imported_names(child, for_types or (guarded and child in tree.body))


def _strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the text of each string that may name a module, without "ngs." and a dot at the end."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("ngs."):
            yield node.lineno, node.value.removeprefix("ngs.").removesuffix(".")


def room_imports(floors: Floors, imports: list[Import]) -> dict[str, list[str]]:
    """The other rooms that each room imports when it runs, from the bottom up."""
    pairs = {(room_of(each.importer, floors), room_of(each.imported, floors)) for each in imports if not each.for_types}
    return {room: [other for other in floors if (room, other) in pairs and other != room] for room in floors}


def violations(floors: Floors, root: Path = ROOT) -> list[str]:
    """A line for each thing that is wrong with the table, or else with the imports."""
    wrong = _table_errors(floors, root)
    if wrong:
        return wrong
    imports = read_imports(floors, root)
    return _import_errors(floors, imports) + _unused(floors, imports) + _circle(imports)


def _table_errors(floors: Floors, root: Path) -> list[str]:
    rooms, found = list(floors), []
    for number, room in enumerate(rooms):
        place = root / room.replace(".", "/")
        if not place.is_dir() and not place.with_suffix(".py").is_file():
            found.append(f"pyproject.toml: {room} is in no folder of ngs: take it out of the floors")
        found += [
            f"pyproject.toml: {room} may import {other}, which is not on a floor below it"
            for other in floors[room]
            if other not in rooms[:number]
        ]
    split = {room.partition(".")[0] for room in rooms if "." in room}
    needed = set()
    for module, file in modules(floors, root).items():
        below = file.parts[0] in split and len(file.parts) > 2  # in a sub-folder of a package that has rooms
        needed.add(".".join(file.parts[:2]) if below else room_of(module, floors))
    needed -= {*rooms, *split}  # a package's face needs no floor
    return found + [f"pyproject.toml: {room} is not on a floor: add it" for room in sorted(needed)]


def _import_errors(floors: Floors, imports: list[Import]) -> list[str]:
    found = []
    for each in imports:
        room, other = room_of(each.importer, floors), room_of(each.imported, floors)
        start = f"{each.file}:{each.line}: {room} imports ngs.{each.imported}"
        same_package = each.importer.split(".")[0] == each.imported.split(".")[0]
        if room != other and other not in floors[room] and not (each.for_types and same_package):
            found.append(f"{start}; it may import {', '.join(floors[room]) or 'no other room'}")
    return list(dict.fromkeys(found))  # one line for an import of several names


def _unused(floors: Floors, imports: list[Import]) -> list[str]:
    used = room_imports(floors, imports)
    return [
        f"pyproject.toml: {room} may import {other} and does not: take it out"
        for room, others in floors.items()
        for other in others
        if other not in used[room]
    ]


def _circle(imports: list[Import]) -> list[str]:
    """One circle of modules, if there is any."""
    graph: dict[str, set[str]] = {}
    for each in imports:
        if not each.for_types:
            graph.setdefault(each.importer, set()).add(each.imported)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [f"modules import each other in a circle: {' > '.join(reversed(error.args[1]))}"]
    return []
