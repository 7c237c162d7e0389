"""Memory and database give one answer: every kind and operator, NULLs and time zones included."""

import datetime as dt
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.apps.registry import Apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import F, OuterRef
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.conditions import (
    Field,
    Kind,
    MoneyColumns,
    Operator,
    Registry,
    RelatedRows,
    matches,
    parse,
    to_q,
)
from kit.conditions.fields import EMPTINESS, OPERATORS, Shape, shape_of
from kit.money import Money

# A registry of their own: no other test meets these models.
_apps = Apps()


class Profile(models.Model):
    rank = models.IntegerField(null=True)
    city = models.TextField(blank=True)

    class Meta:
        app_label = "kit"
        apps = _apps
        db_table = "condition_profile"

    def __str__(self) -> str:
        return f"{self.pk}"


class Subject(models.Model):
    profile = models.ForeignKey(Profile, models.PROTECT, null=True)
    text = models.CharField(max_length=50, null=True)  # noqa: DJ001 - NULL is the point here.
    code = models.CharField(max_length=50, blank=True)
    place = models.IntegerField(null=True)
    count = models.IntegerField(null=True)
    ratio = models.DecimalField(max_digits=12, decimal_places=4, null=True)
    amount = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, null=True)  # noqa: DJ001
    spent = models.DecimalField(max_digits=19, decimal_places=4, null=True)
    flag = models.BooleanField(null=True)
    day = models.DateField(null=True)
    instant = models.DateTimeField(null=True)
    labels = ArrayField(models.CharField(max_length=50), null=True)

    class Meta:
        app_label = "kit"
        apps = _apps
        db_table = "condition_subject"

    def __str__(self) -> str:
        return f"{self.pk}"


class Tag(models.Model):
    subject = models.ForeignKey(Subject, models.PROTECT)
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "kit"
        apps = _apps
        db_table = "condition_tag"

    def __str__(self) -> str:
        return self.name


def _money(amount: Decimal | None, currency: str | None) -> Money | None:
    return None if amount is None or currency is None else Money(amount, currency)


def _tags() -> models.QuerySet[Tag]:
    return Tag._default_manager.filter(subject=OuterRef("pk"))


_WORDS = ["tea", "Tea", "te", "100%", "10", "a_b", "aXb", "back\\slash", "茶", "ß"]
_PLACES = ["1", "2", "10"]
REGISTRY = Registry("subject")
REGISTRY.register(
    Field("text", "Text", Kind.TEXT, query="text", is_optional=True),
    Field("city", "City", Kind.TEXT, query="profile__city", is_optional=True),
    Field("code", "Code", Kind.CHOICE, query="code", is_optional=True),
    Field("place", "Place", Kind.CHOICE, query="place", is_optional=True),
    Field("count", "Count", Kind.NUMBER, query="count", is_optional=True),
    Field("rank", "Rank", Kind.NUMBER, query="profile__rank", is_optional=True),
    Field("ratio", "Ratio", Kind.NUMBER, query="ratio", is_optional=True),
    Field(
        "sum",
        "Sum",
        Kind.NUMBER,
        query=F("count") + F("profile__rank"),
        fact=lambda facts: (
            None if None in (facts["count"], facts["rank"]) else facts["count"] + facts["rank"]
        ),
        is_optional=True,
    ),
    Field(
        "paid",
        "Paid",
        Kind.MONEY,
        query=MoneyColumns("amount", "currency"),
        fact=lambda facts: _money(facts["amount"], facts["currency"]),
        is_optional=True,
    ),
    Field(
        "spent",
        "Spent",
        Kind.MONEY,
        query="spent",
        fact=lambda facts: _money(facts["spent"], "HKD"),
        currencies=lambda: ["HKD"],
        is_optional=True,
    ),
    Field("flag", "Flag", Kind.BOOLEAN, query="flag", is_optional=True),
    Field("day", "Day", Kind.DATE, query="day", is_optional=True),
    Field("instant", "Instant", Kind.INSTANT, query="instant", is_optional=True),
    Field(
        "born",
        "Born",
        Kind.ANNIVERSARY,
        query="day",
        fact=lambda facts: facts["day"],
        is_optional=True,
    ),
    Field(
        "since",
        "Since",
        Kind.ANNIVERSARY,
        query="instant",
        fact=lambda facts: facts["instant"],
        is_optional=True,
    ),
    Field("labels", "Labels", Kind.SET, query="labels", is_optional=True),
    Field("tags", "Tags", Kind.SET, query=RelatedRows(_tags, "name"), is_optional=True),
)
FIELDS = [field for _, field in REGISTRY.grouped()]

# Clocks jump at or near midnight in several of them; Apia lost a whole day.
ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC",
        "Asia/Hong_Kong",
        "America/New_York",
        "America/Sao_Paulo",
        "Africa/Cairo",
        "Asia/Kathmandu",
        "Pacific/Apia",
    )
]
DAYS = [
    dt.date.fromisoformat(day)
    for day in (
        "1904-02-29",
        "2000-02-29",
        "2001-02-28",
        "2011-12-30",
        "2018-11-04",
        "2024-02-28",
        "2024-02-29",
        "2024-04-26",
        "2024-12-31",
        "2025-01-01",
        "2025-03-01",
    )
]
INSTANTS = [
    dt.datetime.combine(day, time, dt.UTC)
    for day in DAYS
    for time in (dt.time(0), dt.time(3), dt.time(15, 59, 59, 999999), dt.time(16), dt.time(23))
]
NUMBERS = [Decimal(n) for n in ("-3", "-2.5", "-2", "0", "0.0001", "2", "2.5", "3", "1000000")]
INTEGERS = [-3, -2, 0, 2, 3, 1000000]
AMOUNTS = [Decimal(n) for n in ("-5", "0", "499.99", "500", "500.01", "9000000000")]


def _one(kind: Kind) -> st.SearchStrategy[Any]:
    return {
        Kind.TEXT: st.sampled_from(_WORDS),
        Kind.NUMBER: st.sampled_from(NUMBERS).map(str),
        Kind.MONEY: st.builds(
            lambda amount, code: {"amount": str(amount), "currency": code},
            st.sampled_from(AMOUNTS),
            st.sampled_from(["HKD", "USD"]),
        ),
        Kind.BOOLEAN: st.booleans(),
        Kind.DATE: st.sampled_from(DAYS).map(str),
        Kind.INSTANT: st.sampled_from(DAYS).map(str),
    }[kind]


def _pair(kind: Kind) -> st.SearchStrategy[Any]:
    if kind is Kind.MONEY:
        amounts = st.lists(st.sampled_from(AMOUNTS), min_size=2, max_size=2).map(sorted)
        return amounts.map(lambda ends: [{"amount": str(n), "currency": "HKD"} for n in ends])
    pool: list[Any] = NUMBERS if kind is Kind.NUMBER else DAYS
    ends = st.lists(st.sampled_from(pool), min_size=2, max_size=2).map(sorted)
    return ends.map(lambda both: [str(end) for end in both])


def _value(field: Field, operator: Operator) -> st.SearchStrategy[Any]:
    match shape_of(operator):
        case Shape.NOTHING:
            return st.none()
        case Shape.DAYS:
            return st.sampled_from([0, 1, 27, 28, 59, 60, 364, 365, 366])
        case Shape.PAIR:
            return _pair(field.kind)
        case Shape.MANY if field.kind is Kind.ANNIVERSARY:
            return st.lists(st.integers(1, 12), min_size=1, max_size=3)
        case Shape.MANY:
            pool = _PLACES if field.name == "place" else _WORDS
            return st.lists(st.sampled_from(pool), min_size=1, max_size=3)
    return _one(field.kind)


def _rule(field: Field, operator: Operator) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "field": st.just(field.name),
            "operator": st.just(operator.value),
            "value": _value(field, operator),
        }
    )


def _group(children: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "combinator": st.sampled_from(["and", "or"]),
            "not": st.booleans(),
            "rules": st.lists(children, min_size=1, max_size=4),
        }
    )


PAIRS = [(field, operator) for field in FIELDS for operator in field.operators]
rules = st.sampled_from(PAIRS).flatmap(lambda pair: _rule(*pair))
trees = _group(rules | _group(rules | _group(rules)))
moments = st.sampled_from(INSTANTS)
zones = st.sampled_from(ZONES)


@pytest.fixture
def everyone(db: None) -> dict[int, dict[str, Any]]:
    """Facts by id of two hundred rows, every column NULL in a good part of them."""
    with connection.schema_editor() as editor:
        for model in (Profile, Subject, Tag):
            editor.create_model(model)
    chance = random.Random(20261121)

    def maybe(pool: list[Any]) -> Any:
        return chance.choice([*pool, None, None])

    profiles = Profile._default_manager.bulk_create(
        [Profile(rank=maybe(INTEGERS), city=chance.choice([*_WORDS, ""])) for _ in range(20)]
    )
    subjects = Subject._default_manager.bulk_create(
        [
            Subject(
                profile=maybe(profiles),
                text=maybe([*_WORDS, ""]),
                code=chance.choice([*_WORDS, ""]),
                place=maybe([1, 2, 10, 11]),
                count=maybe(INTEGERS),
                ratio=maybe(NUMBERS),
                amount=maybe(AMOUNTS),
                currency=maybe(["HKD", "USD"]),
                spent=maybe(AMOUNTS),
                flag=maybe([True, False]),
                day=maybe(DAYS),
                instant=maybe(INSTANTS),
                labels=maybe([chance.sample(_WORDS, size) for size in (0, 1, 3)]),
            )
            for _ in range(200)
        ]
    )
    tags = {row.pk: chance.sample(_WORDS, chance.choice([0, 0, 1, 2])) for row in subjects}
    Tag._default_manager.bulk_create(
        [Tag(subject_id=pk, name=name) for pk, names in tags.items() for name in names]
    )
    return {row.pk: dict(_facts(row), tags=tags[row.pk]) for row in subjects}


def _facts(row: Subject) -> Iterator[tuple[str, Any]]:
    for column in row._meta.concrete_fields:
        yield column.name, getattr(row, column.attname)
    yield "rank", row.profile and row.profile.rank
    yield "city", row.profile and row.profile.city


def _assert_agree(
    tree: dict[str, Any],
    everyone: dict[int, dict[str, Any]],
    *,
    now: dt.datetime,
    zone: dt.tzinfo,
) -> set[int]:
    group = parse(tree, REGISTRY)
    judged = {
        pk
        for pk, facts in everyone.items()
        if matches(group, facts, REGISTRY, now=now, zone=zone).is_match
    }
    rows = Subject._default_manager.filter(to_q(group, REGISTRY, now=now, zone=zone))
    found = list(rows.values_list("pk", flat=True))
    assert len(found) == len(set(found))
    assert set(found) == judged
    opposite = Subject._default_manager.filter(~to_q(group, REGISTRY, now=now, zone=zone))
    assert set(opposite.values_list("pk", flat=True)) == set(everyone) - judged
    return judged


def test_every_kind_and_operator_is_among_the_fields() -> None:
    covered = {(field.kind, operator) for field, operator in PAIRS}

    assert covered == {
        (kind, operator) for kind in Kind for operator in (*OPERATORS[kind], *EMPTINESS)
    }


def test_each_operator_alone_gives_one_answer(everyone: dict[int, dict[str, Any]]) -> None:
    for field, operator in PAIRS:

        @settings(max_examples=12, database=None, derandomize=True, deadline=None)
        @given(rule=_rule(field, operator), now=moments, zone=zones, is_negated=st.booleans())
        def agree(
            rule: dict[str, Any], now: dt.datetime, zone: dt.tzinfo, *, is_negated: bool
        ) -> None:
            tree = {"combinator": "and", "not": is_negated, "rules": [rule]}
            _assert_agree(tree, everyone, now=now, zone=zone)

        agree()


def test_any_tree_gives_one_answer(everyone: dict[int, dict[str, Any]]) -> None:
    sizes = set()

    @settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(tree=trees, now=moments, zone=zones)
    def agree(tree: dict[str, Any], now: dt.datetime, zone: dt.tzinfo) -> None:
        sizes.add(len(_assert_agree(tree, everyone, now=now, zone=zone)))

    agree()

    # Trees that pick nobody or everybody prove little: most sizes in between must occur.
    assert len(sizes) > 40
