"""Posts as an attacker or a broken proxy would send them: genuine ones, changed at random.

The same seed gives the same posts. What a mutant says of itself is enough to make it again.
"""

import gzip
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from kit.money import Money
from payments.providers.base import Inbound
from tests.payments.providers.example import Correction, Example, Sale, all_formats

NOON: Final = datetime(2026, 11, 21, 12, tzinfo=UTC)

_ODD_VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2**63, 10**40, 0.1, 1e300, "", " ", "0", "-1", "NaN"),
    *(
        "1,000.00",
        "１２３",
        "1e5",
        "٣",
        "\x00",
        "\ud800",
        "\u202e",
        "a" * 300,
        "😀",
        "%00",
        "a&b=c",
    ),
    *("' OR 1=1 --", "<script>", "../..", "HKD", "XXX", "2026-02-30T00:00:00Z", "true"),
    *([], {}, [None], {"a": {"b": []}}, [[[[]]]], "9" * 5000),
)
_GENUINE_TURN: Final = 20
_ODD_BYTES: Final = (b"\x00", b"\xff", b"\xef\xbb\xbf", b"%", b"&", b"=", b"{", b"}", b'"', b"NaN")
_ODD_HEADERS: Final = ("", " ", ",", "=", "v1=", "t=1,", "\x00", "é", "簽", "\udc80", "a" * 9000)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`is_resigned`: the account's own key signed it after it was changed."""

    example: Example
    post: Inbound
    recipe: tuple[str, ...]
    is_resigned: bool

    def __str__(self) -> str:
        return f"{self.example.name}, {self.recipe}: {self.post}"


def genuine_posts(example: Example) -> list[Inbound]:
    """One post of each kind that the platform sends; what it answers, if it is asked."""
    money = Money.parse(Decimal(100), example.currencies[0])
    sale = Sale("mutated-1", money, NOON, member_code="M4K7Q2Z9P", order_ref="ORDER-1")
    told = Correction(sale, "mutated-2", Decimal(30), Decimal(30), NOON)
    tellers = (example.payment, example.answer, *example.later)
    makers = (example.refund, example.chargeback, example.reversal, *example.besides)
    posts = [tell(sale) for tell in tellers if tell]
    return [*posts, *(make(told) for make in makers if make)]


def vouched_for(example: Example) -> list[object]:
    """What the platform may have signed: its formats share their keys, so a post of another one,
    put in the place of this one, is genuine."""
    formats = [other for other in all_formats().values() if other.code == example.code]
    posts = [post for other in formats for post in genuine_posts(other)]
    return [example.what_is_vouched_for(post) for post in posts]


def mutants(examples: Mapping[str, Example], *, count: int, seed: int = 1) -> Iterator[Mutant]:
    """`count` posts, the platforms taking turns; at every twentieth turn as they were, so that a
    test sees each platform's genuine ones taken, whatever the dice say."""
    chance = random.Random(seed)
    posts = {name: genuine_posts(example) for name, example in examples.items()}
    everybody = [post for found in posts.values() for post in found]
    names = list(examples)
    for number in range(count):
        turn, place = divmod(number, len(names))
        example = examples[names[place]]
        first, *others = posts[example.name]
        if turn % _GENUINE_TURN == 0:
            yield Mutant(example, first, (), is_resigned=False)
            continue
        # Half of them say that it was paid: those are worth forging.
        post = first if chance.random() < 0.5 or not others else chance.choice(others)
        yield _mutant(example, post, everybody, chance)


def _mutant(
    example: Example, post: Inbound, everybody: list[Inbound], chance: random.Random
) -> Mutant:
    recipe = []
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(list(_CHANGES))
        recipe.append(name)
        post = _CHANGES[name](post, everybody, chance)
    resigned = _resigned(example, post) if chance.random() < 0.5 else None
    if resigned is not None and chance.random() < 0.2:
        recipe.append("headers after signing")
        resigned = _other_header(resigned, everybody, chance)
    return Mutant(example, resigned or post, tuple(recipe), resigned is not None)


def _resigned(example: Example, post: Inbound) -> Inbound | None:
    """Signed anew, if the platform could have signed such a thing at all."""
    if example.resign is None:
        return None
    try:
        return example.resign(post, NOON)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        return None


def _flipped(post: Inbound, _all: list[Inbound], chance: random.Random) -> Inbound:
    body = bytearray(post.body)
    for _ in range(chance.randint(1, 4)):
        if body:
            body[chance.randrange(len(body))] = chance.randrange(256)
    return replace(post, body=bytes(body))


def _cut(post: Inbound, _all: list[Inbound], chance: random.Random) -> Inbound:
    start, end = sorted(chance.randrange(len(post.body) + 1) for _ in range(2))
    kept = (post.body[start:end], post.body[:start] + post.body[end:], post.body[:end])
    return replace(post, body=chance.choice(kept))


def _drawn_out(post: Inbound, _all: list[Inbound], chance: random.Random) -> Inbound:
    place = chance.randrange(len(post.body) + 1)
    extra = chance.choice((*_ODD_BYTES, post.body, b"[" * 100_000, b"a=1&" * 300))
    return replace(post, body=post.body[:place] + extra + post.body[place:])


def _other_value(post: Inbound, _all: list[Inbound], chance: random.Random) -> Inbound:
    value = chance.choice(_ODD_VALUES)
    if not post.body.startswith(b"{"):
        pairs = parse_qsl(post.body.decode("latin-1"), keep_blank_values=True)
        if pairs:
            place = chance.randrange(len(pairs))
            pairs[place] = (pairs[place][0], value if isinstance(value, str) else str(value))
        return replace(post, body=urlencode(pairs, errors="replace").encode())
    return _with_tree_changed(post, chance, value)


def _with_tree_changed(post: Inbound, chance: random.Random, value: Any) -> Inbound:
    try:
        tree = json.loads(post.body)
    except (ValueError, RecursionError):
        return post
    places = list(places_in(tree))
    if places:
        inner, name = chance.choice(places)
        if chance.random() < 0.2:
            del inner[name]
        else:
            inner[name] = value
    return replace(post, body=json.dumps(tree).encode())


def _said_twice(post: Inbound, _all: list[Inbound], chance: random.Random) -> Inbound:
    """A key or a field occurs twice, with another value."""
    if post.body.startswith(b"{"):
        names = [
            n for n in (b"id", b"type", b"amount", b"data", b"live") if b'"%b"' % n in post.body
        ]
        name = chance.choice(names or [b"id"])
        return replace(post, body=b'{"%b": "twice", ' % name + post.body[1:])
    field = chance.choice(post.body.split(b"&"))
    return replace(post, body=post.body + b"&" + field.partition(b"=")[0] + b"=twice")


def _packed(post: Inbound, _all: list[Inbound], chance: random.Random) -> Inbound:
    """In another encoding than the platform signed."""
    encoding = chance.choice(("gzip", "utf-16", "utf-8-sig"))
    if encoding == "gzip":
        headers = {**post.headers, "content-encoding": "gzip"}
        return replace(post, headers=headers, body=gzip.compress(post.body, mtime=0))
    return replace(post, body=post.body.decode("latin-1").encode(encoding))


def _spliced(post: Inbound, everybody: list[Inbound], chance: random.Random) -> Inbound:
    """Half of this post, half of one of another kind, account or platform."""
    other = chance.choice(everybody)
    way = chance.randrange(4)
    if way == 0:
        return replace(post, body=other.body)
    if way == 1:
        return replace(post, headers=other.headers)
    if way == 2:
        return replace(post, headers={**post.headers, **other.headers})
    here, there = chance.randrange(len(post.body) + 1), chance.randrange(len(other.body) + 1)
    return replace(post, body=post.body[:here] + other.body[there:])


def _other_header(post: Inbound, _all: list[Inbound], chance: random.Random) -> Inbound:
    headers = dict(post.headers)
    if not headers:
        return replace(post, headers={"signature": chance.choice(_ODD_HEADERS)})
    name = chance.choice(sorted(headers))
    value, way = headers[name], chance.randrange(5)
    if way == 0:
        del headers[name]
    elif way == 1:
        headers[name] = chance.choice(_ODD_HEADERS)
    elif way == 2:
        headers[name] = f"{value}, {value}"
    elif way == 3:
        headers[name] = value[: chance.randrange(len(value) + 1)]
    else:
        place = chance.randrange(len(value) + 1)
        odd = chance.choice(("a", "0", "=", " ", "é", "\udc80"))
        headers[name] = value[:place] + odd + value[place + 1 :]
    return replace(post, headers=headers)


def _other_address(post: Inbound, _all: list[Inbound], chance: random.Random) -> Inbound:
    return replace(post, url=chance.choice(("", "/", "http://[::1", "/a?b=c", post.url + "?x=1")))


_CHANGES: Final[dict[str, Callable[[Inbound, list[Inbound], random.Random], Inbound]]] = {
    "bytes flipped": _flipped,
    "body cut": _cut,
    "body drawn out": _drawn_out,
    "another value": _other_value,
    "yet another value": _other_value,
    "said twice": _said_twice,
    "packed": _packed,
    "spliced": _spliced,
    "another header": _other_header,
    "another address": _other_address,
}


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every object or list in `value` with every key or index in it."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield value, name
            yield from places_in(inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield value, number
            yield from places_in(inner)
