"""States: what a host stores with its project, as plain JSON values, and restores.

A state says of what it is ("ngs"), in which version, and which bundle it needs: its name, hash and path. Fields that
are not known are ignored, so a version changes only if an older ngs would restore something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ngs.runtime.bundle.bundle import Bundle, as_bundle, shipped_path
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.errors import one_line, shortened

VERSION = 1
LONGEST_SHOWN = 80  # characters of a value in an error
WORDS = {
    dict: "an object",
    list: "a list",
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}


def new_state(kind: str, bundle: Bundle, **more: Any) -> dict[str, Any]:
    """The state of a `kind` of object that plays a bundle."""
    path = None if bundle.path == shipped_path() else str(bundle.path.absolute())  # none: the one that comes with ngs
    identity = {"name": bundle.manifest.name, "sha256": bundle.sha256, "path": path, "held": bundle.held}
    return {"ngs": kind, "version": VERSION, "bundle": identity, **more}


def check_state(state: Any, kind: str) -> None:
    """Raise ValueError unless this is a state of this `kind`, in a version that can be read."""
    if not isinstance(state, Mapping) or not isinstance(state.get("ngs"), str):
        raise ValueError(f"{_shown(state)} is not a state of ngs: give what state() returned")
    if state["ngs"] != kind:
        raise ValueError(f"this is a state of {_shown(state['ngs'])}, not of {kind}: restore it there")
    version = field(state, "version", int)
    if version != VERSION:
        raise ValueError(f"the state has version {version}, and this ngs reads {VERSION}: use the ngs that saved it")


def field(state: Mapping[str, Any], name: str, kind: type, where: str = "state") -> Any:
    """A field that must be there, of a kind of JSON values; a whole number is also a number. Raises ValueError."""
    found = state.get(name)
    kinds = {float: (int, float), dict: Mapping, list: (list, tuple)}.get(kind, kind)
    if not isinstance(found, kinds) or (isinstance(found, bool) and kind is not bool):  # type: ignore[arg-type]
        what = "nothing" if name not in state else _shown(found)
        raise ValueError(f"{where}: {name}: expected {WORDS[kind]}, found {what}")
    try:
        return float(found) if kind is float else found  # type: ignore[arg-type]
    except OverflowError:
        raise ValueError(f"{where}: {name} is too large") from None


def bundle_of(state: Mapping[str, Any], current: Bundle, given: Bundle | str | Path | None) -> Bundle:
    """The bundle that a state needs: the one given, the current one, or the one where it was.

    Only the one given may be another one. One that is opened has the provider and the threads of the current one, and
    is held as the state says. Raises BundleError, ValueError.
    """
    if isinstance(given, Bundle):
        return as_bundle(given)
    identity = field(state, "bundle", dict)
    name, sha256 = (field(identity, each, str, "state: bundle") for each in ("name", "sha256"))
    held = field(identity, "held", bool, "state: bundle")
    if given is not None:
        return as_bundle(given, current.provider, current.threads, held)
    if sha256 == current.sha256 and held == current.held and not current.closed:
        return current
    path = None if identity.get("path") is None else field(identity, "path", str, "state: bundle")
    wanted = f"The state needs the bundle {_shown(name)} (sha256 {_shown(sha256[:12])}...)"
    remedy = "find it, and hand it over: restore(state, bundle)"
    try:
        found = Bundle.open(path, current.provider, current.threads, held)
    except (BundleError, ValueError, OSError) as error:
        raise BundleError(f"{wanted}, which cannot be opened ({one_line(str(error))}): {remedy}") from error
    if found.sha256 != sha256:
        found.close()
        raise BundleError(f"{wanted}, but {found.path} is another one: {remedy}")
    return found


@contextmanager
def needed_bundle(
    state: Mapping[str, Any], current: Bundle, given: Bundle | str | Path | None
) -> Iterator[Bundle]:  # fmt: skip
    """`bundle_of`, for the block that makes use of it. If the block raises, what was opened here is closed."""
    found = bundle_of(state, current, given)
    try:
        yield found
    except BaseException:
        if found is not current and found is not given:
            found.close()
        raise


def plain_choices(bundle: Bundle, choices: Mapping[str, str] | str) -> dict[str, str]:
    """Classes by attribute."""
    return {bundle.manifest.attributes[0].name: choices} if isinstance(choices, str) else dict(choices)


def _shown(value: object) -> str:
    return shortened(repr(value), LONGEST_SHOWN)
