"""Who buys: invented people with invented signs, and the habits that they shop by.

Chinese names are made of characters that both scripts share, so that a page in one of them stays
in it. Phones lie in ranges that nobody is given; addresses end in `.example`, which is reserved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from config.demo.catalogue import SHELVES
from config.demo.merchant import STORES, ZONE, languages_of, stores_of
from kit.ids import ALPHABET, check_character, uuid7

_SURNAMES: Final = "王李林周何高梁朱郭曾董袁余杜江石白方田姜莫黎邱洪康施古汪"
_GIVEN: Final = (
    "文明安佳雨思雅芳平子晨欣怡然青海心可立志家嘉希俊浩宇宏美玉秀淑敏慧婷芷君彤晴朗正信允"
)

_CANTONESE: Final = (
    ("Chan", "Wong", "Lam", "Ho", "Leung", "Cheung", "Ng", "Kwok", "Tsang", "Yuen", "Fong", "Mok"),
    ("Ka", "Wing", "Tsz", "Hoi", "Man", "Chi", "Yuk", "Sum", "Lok", "Hei", "Chun", "Mei"),
    ("Yan", "Ming", "Ching", "Kit", "Lam", "Yee", "Fai", "Ling", "Hin", "Ying", "Wai", "Tung"),
)
_ROMANISED: Final = (
    ("Tan", "Lim", "Lee", "Goh", "Koh", "Teo", "Chua", "Ong", "Toh", "Seah", "Low", "Yeo"),
    ("Wei", "Jia", "Hui", "Xin", "Kai", "Shu", "Yi", "Zhi", "Li", "Jun", "Mei", "Pei"),
    ("Ling", "Wen", "Min", "Hao", "Ting", "Xuan", "Jie", "En", "Qi", "Rong", "Ming", "Shan"),
)
_ENGLISH: Final = (
    ("Alice", "Ben", "Clara", "Dev", "Elena", "Farid", "Grace", "Hugo", "Iris", "Jonah", "Nadia"),
    ("Arden", "Bexley", "Corwin", "Dunmore", "Ellery", "Farrow", "Holloway", "Kestrel", "Marlow"),
)

_REGIONS: Final = {"HK": 58, "TW": 17, "CN": 15, "SG": 10}
_PHONES: Final = {
    "HK": "+8521000{:04d}",
    "TW": "+88610000{:04d}",
    "CN": "+861000000{:04d}",
    "SG": "+651000{:04d}",
}


@dataclass(frozen=True, slots=True)
class Habit:
    """How somebody shops: days between visits, how full the basket is, when they stop."""

    name: str
    share: int
    gap_days: int
    fullness: float
    most_visits: int = 1000
    lapses: bool = False


HABITS: Final = (
    Habit("devoted", 6, 12, 2.2),
    Habit("regular", 26, 33, 1.3),
    Habit("occasional", 28, 80, 1.0),
    Habit("lapsed", 22, 45, 1.0, lapses=True),
    Habit("one-timer", 18, 30, 0.8, most_visits=1),
)


@dataclass(slots=True)
class Person:
    number: int
    code: str
    name: str
    language: str
    region: str
    store: str
    joined_at: datetime
    habit: Habit
    favourites: Sequence[str]
    born_on: date | None
    signs: Mapping[str, str]
    late_wallet: str = ""  # A wallet that pays before anybody knows whose it is.
    may_write: bool = False
    id: UUID = field(default_factory=uuid7)


def invent_people(number: int, *, first: date, last: date, rng: Random) -> list[Person]:
    """Members in the order in which they join: half before `first`, the rest before `last`."""
    joined = sorted(_joined_at(first, last, rng) for _ in range(number))
    codes: set[str] = set()
    return [
        _invent(place, at, codes=codes, last=last, rng=rng)
        for place, at in enumerate(joined, start=1)
    ]


def _joined_at(first: date, last: date, rng: Random) -> datetime:
    span = (last - first).days
    days = rng.randint(-400, -1) if rng.random() < 0.5 else rng.randint(0, max(span - 1, 0))
    clock = time(rng.randint(10, 20), rng.randint(0, 59), rng.randint(0, 59))
    return datetime.combine(first + timedelta(days=days), clock, ZoneInfo(ZONE))


def _invent(
    number: int, joined_at: datetime, *, codes: set[str], last: date, rng: Random
) -> Person:
    region = _draw(_REGIONS, rng)
    language = _draw(dict(languages_of(region)), rng)
    shops = stores_of(region)
    shelves = [shelf.code for shelf in SHELVES if shelf.weight]
    weights = [shelf.weight for shelf in SHELVES if shelf.weight]
    late = f"wallet-late-{number:05d}" if rng.random() < 0.03 else ""
    return Person(
        number=number,
        code=_code(codes, rng),
        name=_name(region, language, rng),
        language=language,
        region=region,
        store=rng.choices(shops, [STORES[code][2] for code in shops])[0],
        joined_at=joined_at,
        habit=rng.choices(HABITS, [habit.share for habit in HABITS])[0],
        favourites=rng.choices(shelves, weights, k=2),
        born_on=_born_on(last, rng) if rng.random() < 0.7 else None,
        signs=_signs(number, region, rng),
        late_wallet=late,
        may_write=rng.random() < 0.82,
    )


def _draw(weights: Mapping[str, int], rng: Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _code(taken: set[str], rng: Random) -> str:
    """As `kit.ids.new_code` would draw it, but the same again for the same seed."""
    while True:
        body = "".join(rng.choices(ALPHABET, k=8))
        code = f"M{body}{check_character(body)}"
        if code not in taken:
            taken.add(code)
            return code


def _name(region: str, language: str, rng: Random) -> str:
    if language != "en":
        return rng.choice(_SURNAMES) + "".join(rng.sample(_GIVEN, rng.choice((1, 2, 2))))
    if rng.random() < 0.25:
        return " ".join(rng.choice(part) for part in _ENGLISH)
    family, one, two = _CANTONESE if region == "HK" else _ROMANISED
    return f"{rng.choice(one)} {rng.choice(two)} {rng.choice(family)}"


def _born_on(last: date, rng: Random) -> date:
    return date(last.year - rng.randint(19, 72), rng.randint(1, 12), rng.randint(1, 28))


def _signs(number: int, region: str, rng: Random) -> dict[str, str]:
    """Kind → value of what they are recognised by; a phone they all have."""
    signs = {"phone": _PHONES[region].format(number)}
    if rng.random() < 0.88:
        signs["email"] = f"guest{number:05d}@mail.example"
    if rng.random() < 0.7:
        signs["wallet"] = f"wallet-{number:05d}"
    if rng.random() < 0.35:
        signs["stripe_customer"] = f"cus_Demo{number:05d}"
    if rng.random() < 0.5:
        signs["stripe_card"] = f"DemoCard{number:05d}"
    if region == "CN" or rng.random() < 0.15:
        signs["alipay_buyer"] = f"20889000{number:08d}"
    return signs
