"""What an instrument takes and sends by OSC, as tables for the docs and `--addresses`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ngs.pyo_instruments.commands.command import declarations
from ngs.pyo_instruments.surfaces.osc import ERRORS_A_SECOND, METERS_SECONDS, STATUS
from ngs.pyo_instruments.surfaces.osc_subscribers import SUBSCRIBERS, SUBSCRIPTION_SECONDS

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument

TAKES = (
    ("/subscribe", "nothing, or port: whole number, 1 to 65535",
     f"Send all values now, and each one when it changes, to the sender or to another port of its computer. Ends after "
     f"{SUBSCRIPTION_SECONDS:g} seconds unless repeated. {SUBSCRIBERS} subscribers at most."),
    ("/unsubscribe", "nothing, or the same port", "End the subscription."),
    ("/ping", "nothing", "Answer with /pong."),
    ("/midi/learn", 'address: text, "" for none', "Bind the next MIDI knob that is turned, or pad that is hit, to a "
     "command, and save that in the MIDI map."),
)  # fmt: skip
SENDS = (
    ("/meters", "peak of each track or channel", f"To subscribers, {1 / METERS_SECONDS:g} times a second."),
    ("/status", " ".join(STATUS), "To subscribers, once a second: share of a block's time that is used, blocks that "
     "came late, voices that sound."),
    ("/error", "address, text", "To the sender of a message: what is wrong with it, "
     f"{ERRORS_A_SECOND} times a second at most."),
    ("/pong", "nothing", "To the sender of /ping."),
)  # fmt: skip
POSITION = ("/position", "step", "To subscribers, at every step: its number, from 1.")


def address_table(kind: type[Instrument]) -> str:
    """What an instrument takes and sends by OSC, as Markdown tables."""
    sends = [POSITION, *SENDS] if "step" in kind.counts else SENDS
    takes = [*(declared.row(kind.counts) for declared in declarations(kind)), *TAKES]
    return f"{_table('address', takes)}\n\n{_table('sent', sends)}"


def _table(title: str, rows: Sequence[tuple[str, str, str]]) -> str:
    lines = [(title, "arguments", "meaning"), ("---", "---", "---")]
    lines += [
        (f"`{address}`", arguments.replace("|", r"\|"), what.replace("|", r"\|")) for address, arguments, what in rows
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
