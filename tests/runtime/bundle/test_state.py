"""States name what they are of and which bundle they need; what is foreign or malformed is refused in one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.state import bundle_of, check_state, field, needed_bundle, new_state, plain_choices


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


def test_a_state_is_json_and_is_checked(tiny: Bundle) -> None:
    state = json.loads(json.dumps(new_state("Engine", tiny, seed=3)))
    check_state(state, "Engine")
    assert state["bundle"] == {"name": "tiny", "sha256": tiny.sha256, "path": str(tiny.path), "held": True}
    for wrong, message in (
        (None, "None is not a state of ngs: give what state"),
        ([state], "is not a state of ngs"),
        ({"preset": "Kick"}, "is not a state of ngs"),
        ({**state, "ngs": "Pads"}, "a state of 'Pads', not of Engine: restore it there"),
        ({**state, "version": 2}, "the state has version 2, and this ngs reads 1: use the ngs that saved it"),
        ({**state, "version": True}, "state: version: expected a whole number, found True"),
        ({"ngs": "Engine"}, "state: version: expected a whole number, found nothing"),
    ):
        with pytest.raises(ValueError, match=message):
            check_state(wrong, "Engine")


@pytest.mark.parametrize(
    ("kind", "good", "wrong"),
    [
        (int, 3, 3.0),
        (float, 3, "3"),
        (bool, True, 1),
        (str, "x", None),
        (dict, {}, []),
        (list, [], {}),
        (float, 1.5, True),
    ],
)
def test_a_field_has_its_kind(kind: type, good: Any, wrong: Any) -> None:
    assert field({"x": good}, "x", kind) == good
    with pytest.raises(ValueError, match="state: x: expected .*, found"):
        field({"x": wrong}, "x", kind)
    with pytest.raises(ValueError, match="pad 3: x: expected .*, found nothing"):
        field({}, "x", kind, "pad 3")


def test_a_number_may_be_too_large() -> None:
    with pytest.raises(ValueError, match="state: x is too large"):
        field({"x": 10**400}, "x", float)


def test_the_bundle_is_the_current_one_or_is_looked_for(
    tiny: Bundle, tiny_zip: Path, tiny_noise: Path, tmp_path: Path
) -> None:
    state, noise = new_state("Engine", tiny), Bundle.open(tiny_noise, "cpu")
    assert bundle_of(state, tiny, None) is tiny
    assert bundle_of(state, Bundle.open(tiny_zip, "cpu"), None).path == tiny_zip  # the same, elsewhere
    assert bundle_of(state, noise, None).path == tiny.path
    assert bundle_of(state, tiny, noise) is noise and bundle_of(state, tiny, tiny_noise).path == tiny_noise
    raw = bundle_of(new_state("Engine", Bundle.open(tiny.path, "cpu", held=False)), tiny, None)
    assert raw is not tiny and not raw.held and raw.path == tiny.path
    state_of_raw, threaded = new_state("Engine", raw), Bundle.open(tiny.path, "cpu", threads=2)
    for given in (None, tiny_noise):  # what is opened is held as stored, and computes with the threads of the host
        found = bundle_of(state_of_raw, threaded, given)
        assert not found.held and found.threads == 2
    assert bundle_of(state, raw, tiny_noise).held and bundle_of(state_of_raw, raw, noise).held
    closed = Bundle.open(tiny.path, "cpu")
    closed.close()
    assert not bundle_of(state, closed, None).closed
    moved = Path(shutil.copytree(tiny.path, tmp_path / "moved.ngs"))
    state = new_state("Engine", Bundle.open(moved, "cpu"))
    shutil.rmtree(moved)
    with pytest.raises(
        BundleError, match=r"needs the bundle 'tiny' .*moved.ngs does not exist.*: restore.state, bundle"
    ):
        bundle_of(state, noise, None)
    shutil.copytree(tiny_noise, moved)
    with pytest.raises(BundleError, match=r"needs the bundle 'tiny' .*moved.ngs is another one: find it"):
        bundle_of(state, noise, None)


def test_a_bundle_opened_for_a_state_is_closed_if_the_state_does_not_fit(tiny: Bundle, tiny_noise: Path) -> None:
    state, other, found = new_state("Engine", tiny), Bundle.open(tiny_noise, "cpu"), []
    for current, given in ((other, None), (tiny, tiny_noise), (tiny, None), (tiny, other)):
        with pytest.raises(KeyError), needed_bundle(state, current, given) as needed:
            found.append(needed)
            raise KeyError
    assert [each.closed for each in found] == [True, True, False, False]
    with needed_bundle(state, other, None) as needed:
        pass
    assert not needed.closed


def test_the_bundle_that_comes_with_ngs_is_found_on_every_machine(tiny: Bundle) -> None:
    drums = Bundle.open(provider="cpu")
    state = new_state("Pads", drums)
    assert state["bundle"]["path"] is None and bundle_of(state, tiny, None).path == drums.path


@pytest.mark.parametrize("key", ["name", "sha256", "held"])
def test_a_state_without_a_whole_bundle_is_refused(tiny: Bundle, key: str) -> None:
    state = new_state("Engine", tiny)
    for bundle in ({each: value for each, value in state["bundle"].items() if each != key}, None):
        with pytest.raises(ValueError, match="state: bundle"):
            bundle_of({**state, "bundle": bundle}, tiny, None)


def test_choices_become_classes_by_attribute(tiny: Bundle) -> None:
    assert plain_choices(tiny, "Kick") == plain_choices(tiny, {"class": "Kick"}) == {"class": "Kick"}
    assert plain_choices(tiny, {}) == {}
