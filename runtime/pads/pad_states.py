"""A pad's part of a state: what can be set, and which hit is next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.state import field, plain_choices
from ngs.runtime.pads.hit_store import Wanted
from ngs.runtime.pads.hits import Recipe
from ngs.runtime.pads.settings import check_argument

MOST_HITS = 1 << 48  # numbers of a pad's hits: with 128 pads, all sounds have an index of 64 bits
KINDS = {"choices": dict, "source": str, "temperature": float, "pitch": float, "fresh": bool}  # of settings


def pad_state(bundle: Bundle, wanted: Wanted) -> dict[str, Any]:
    """What a pad plays, as plain JSON values."""
    recipe = wanted.recipe
    return {
        "choices": plain_choices(bundle, wanted.choices), "source": recipe.source, "temperature": recipe.temperature,
        "pitch": recipe.pitch, "fresh": wanted.fresh, "renew": wanted.renew, "next": wanted.next, "held": wanted.held,
    }  # fmt: skip


def read_pad(told: Any, pad: int, pads: int, bundle: Bundle) -> Wanted:
    """What a pad plays, from `pad_state`. Raises ValueError."""
    told, where = told if isinstance(told, Mapping) else {}, f"state: pad {pad}"
    values = {name: field(told, name, kind, where) for name, kind in KINDS.items()}
    for name, value in values.items():
        check_argument(name, value, bundle, pads)
    renew, following = field(told, "renew", bool, where), field(told, "next", int, where)
    held = None if told.get("held") is None else field(told, "held", int, where)
    if not 0 <= following < MOST_HITS or not (held is None or 0 <= held < following):
        raise ValueError(f"{where}: next is {following}, and held {held}: expected whole numbers, next above held")
    condition = tuple(bundle.condition(values["choices"]).tolist())
    recipe = Recipe(bundle, condition, values["source"], values["temperature"], values["pitch"])
    return Wanted(dict(values["choices"]), recipe, values["fresh"], renew, held, following)
