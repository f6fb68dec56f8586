"""The labels of key actions: short, and read from the address unless they are given."""

from __future__ import annotations

import pytest

from ngs.pyo_instruments.commands.key_actions import Key, Nudge, Press, Toggle


@pytest.mark.parametrize(
    ("key", "label"),
    [
        (Toggle("/track/{track}/mute"), "mute track"), (Toggle("/track/{track}/solo"), "solo track"),
        (Toggle("/play", "play or stop"), "play or stop"), (Nudge("/tempo", 1), "tempo up"),
        (Nudge("/tempo", -1), "tempo down"), (Nudge("/start", 1, "next sound"), "next sound"),
        (Press("/track/1/hit", (1.0,)), "hit track"), (Press("/kind", ("circle",)), "kind circle"),
        (Press("/sample_note", ("/track/{track}/class",)), "sample note"), (Press("/off", label="quiet"), "quiet"),
    ],
)  # fmt: skip
def test_an_action_has_a_short_label(key: Key, label: str) -> None:
    assert key.describe() == label
