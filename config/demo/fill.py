"""Filling a new database, from the sign above the door to the last message of today."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from config import pipeline
from config.demo.campaigns import draft_campaigns
from config.demo.merchant import ZONE, open_shop
from config.demo.oddities import enter_by_hand, leave_a_debt, odd_deals, send_oddities
from config.demo.past import Counter
from config.demo.people import invent_people
from config.demo.posts import open_channels
from config.demo.shopping import plan_shopping
from config.demo.staff import hire_staff
from config.demo.year import LIVE_DAYS, Say, Year

NOTE: Final = "demo-staff.txt"
_RULES_BEFORE: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Scale:
    members: int
    days: int
    seed: int


def fill(scale: Scale, *, folder: Path, now: datetime, say: Say) -> None:
    """The same members, sales and points again for the same scale and day."""
    rng = Random(scale.seed)  # noqa: S311 - dice, no secrets
    today = now.astimezone(ZoneInfo(ZONE)).date()
    first = today - timedelta(days=scale.days)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _commit_lightly()
    people = invent_people(scale.members, first=first, last=today, rng=rng)
    plan = plan_shopping(people, first=first, now=now, rng=rng)
    recent = now - timedelta(days=LIVE_DAYS + 1)
    odd = odd_deals([one for one in people if one.joined_at < recent], now=now, rng=rng)
    deals = sorted([*plan.deals, *odd], key=lambda deal: (deal.at, deal.effect_ref))
    say(f"{len(people)} members will shop for {scale.days} days, {len(deals)} times.")
    with transaction.atomic():
        open_shop(starts_at=now - timedelta(days=scale.days) - _RULES_BEFORE, now=now, rng=rng)
        draft_campaigns()
        channels = open_channels(folder)
        manager = hire_staff(folder / NOTE)
    year = Year(
        people=people,
        deals=deals,
        linkings=plan.linkings,
        channels=channels,
        counter=Counter(rng=rng, actor=manager),
        first=first,
        now=now,
        rng=rng,
    )
    year.live_through(say)
    leave_a_debt(channels, actor=manager, now=now)
    enter_by_hand(channels, actor=manager, now=now)
    send_oddities(channels, deals, now=now)
    pipeline.run(now=now)


def _commit_lightly() -> None:
    """What a crash cut off is begun afresh anyway, so this session waits for no disk."""
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
