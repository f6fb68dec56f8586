"""Subscribers of the OSC server: who hears what changes, and when."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ngs.pyo_instruments.commands.arguments import CommandError, Value

Address = tuple[Any, ...]  # host and port, and two numbers more in IPv6
Values = tuple[Value, ...]
SUBSCRIBERS = 8
SUBSCRIPTION_SECONDS = 60.0
TOUCH_SECONDS = 0.2  # for which a client that moves a fader does not hear the fader's value


@dataclass
class Subscriber:
    """One subscriber: the values not sent to it yet, and the controls that it moved itself."""

    source: Address  # of the messages it sends
    ends: float
    pending: dict[str, Values] = field(default_factory=dict)  # by OSC address
    touched: dict[str, float] = field(default_factory=dict)  # when its own messages came, by OSC address

    def ready(self, now: float) -> list[tuple[str, Values]]:
        """Take out the values to send now: not those of controls that it is moving itself."""
        free = [each for each in self.pending if now - self.touched.get(each, -math.inf) > TOUCH_SECONDS]
        return [(address, self.pending.pop(address)) for address in free]


class Subscribers:
    """All subscribers of a server, by the address that they listen at. For one thread."""

    def __init__(self) -> None:
        self._found: dict[Address, Subscriber] = {}

    def add(self, target: Address, source: Address, now: float, values: Mapping[str, Values]) -> None:
        """Begin or extend a subscription, with `values` to be sent first. Raises CommandError if there are too many."""
        if len(self._found) >= SUBSCRIBERS and target not in self._found:
            raise CommandError(f"there are {SUBSCRIBERS} subscribers already: end one with /unsubscribe")
        subscriber = self._found.setdefault(target, Subscriber(source, 0.0))
        subscriber.source, subscriber.ends = source, now + SUBSCRIPTION_SECONDS
        subscriber.pending |= values

    def remove(self, target: Address) -> None:
        """End a subscription, if there is one."""
        self._found.pop(target, None)

    def touch(self, source: Address, address: str, now: float) -> None:
        """Record that a client has moved a control, so that it does not hear its own value at once."""
        for subscriber in self._found.values():
            if subscriber.source == source:
                subscriber.touched[address] = now

    def expire(self, now: float) -> bool:
        """End the subscriptions whose time is up. Returns whether any are left."""
        self._found = {target: each for target, each in self._found.items() if each.ends > now}
        return bool(self._found)

    def messages(self, changes: Mapping[str, Values], now: float) -> Iterator[tuple[Address, str, Values]]:
        """Note the changes for every subscriber, and yield the messages to send now; one may be removed meanwhile."""
        for target, subscriber in list(self._found.items()):
            subscriber.pending |= changes
            for address, values in subscriber.ready(now):
                yield target, address, values
