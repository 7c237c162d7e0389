"""The member page is made of panels: each app brings its own, in `panels.py`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Place(StrEnum):
    """Where a panel stands on a wide screen; on a phone they follow each other in this order."""

    ASIDE = "aside"
    MAIN = "main"
    FOOT = "foot"


@dataclass(frozen=True, slots=True)
class Panel:
    """One part of the member page.

    `read(member, now)` gives what the template sees as `panel`, or None if the member has nothing
    of the kind. Its queries do not grow with what the member holds.
    """

    name: str
    place: Place
    order: int
    template: str
    read: Callable[[Any, datetime], object | None]


@dataclass(frozen=True, slots=True)
class Shown:
    """A panel of one member, ready for its template."""

    name: str
    template: str
    content: object


_panels: dict[str, Panel] = {}


def register(panel: Panel) -> None:
    if _panels.get(panel.name, panel) != panel:
        raise ValueError(f"Two panels are called {panel.name!r}.")
    _panels[panel.name] = panel


def panels_of(member: Any, *, now: datetime) -> dict[Place, list[Shown]]:
    """What there is to show of `member`, by place and in order."""
    shown: dict[Place, list[Shown]] = {place: [] for place in Place}
    for panel in sorted(_panels.values(), key=lambda panel: panel.order):
        content = panel.read(member, now)
        if content is not None:
            shown[panel.place].append(Shown(panel.name, panel.template, content))
    return shown
