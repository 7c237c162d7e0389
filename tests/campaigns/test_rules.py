from datetime import timedelta
from decimal import Decimal

import pytest

from campaigns.rules.deciding import Occasion, Silence, Terms, TierStep, decline_occasion
from campaigns.rules.languages import choose_language, language_chain
from campaigns.rules.reasons import Decline
from campaigns.rules.retrying import next_try
from campaigns.rules.tickets import Correction, Ticket, decline_ticket, kept_of
from campaigns.rules.variables import StrayBraces, VariableMissing, fill, variables_in
from kit.money import Money
from tests.build import NOON

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def hkd(amount: str) -> Money:
    return Money.parse(amount, "HKD")


def gbp(amount: str) -> Money:
    return Money.parse(amount, "GBP")


# Variables


def test_variables_are_filled_in_with_or_without_spaces() -> None:
    assert fill("{{name}}: {{ points }}!", {"name": "Mei", "points": "8"}) == "Mei: 8!"


def test_what_a_value_contains_is_not_read_again() -> None:
    values = {"name": "{{ points }}", "points": "8"}

    assert fill("{{ name }}", values) == "{{ points }}"


@pytest.mark.parametrize("value", ["", "  "])
def test_a_blank_value_is_missing(value: str) -> None:
    with pytest.raises(VariableMissing, match="tier"):
        fill("{{ tier }}", {"tier": value})


def test_an_unknown_variable_is_missing() -> None:
    with pytest.raises(VariableMissing, match="nickname"):
        fill("Hello {{ nickname }}", {"name": "Mei"})


@pytest.mark.parametrize(
    "text",
    ["{{ name", "name }}", "{{ name|upper }}", "{{ a.b }}", "{% now %}", "{{}}", "{{{ name }}}}"],
)
def test_other_braces_are_refused(text: str) -> None:
    with pytest.raises(StrayBraces):
        variables_in(text)


# Languages


@pytest.mark.parametrize(
    ("language", "chain"),
    [
        ("zh-hant-hk", ["zh-hant-hk", "zh-hant", "en"]),
        ("zh-Hans", ["zh-hans", "en"]),
        ("en", ["en"]),
        ("en-gb", ["en-gb", "en"]),
    ],
)
def test_the_chain_ends_with_the_main_language(language: str, chain: list[str]) -> None:
    assert language_chain(language, main="en") == chain


def test_nobody_gets_just_any_language() -> None:
    assert choose_language("zh-hans", {"zh-hant", "en"}, main="en") == "en"
    assert choose_language("zh-hans", {"zh-hant"}, main="en") is None


# Large tickets


@pytest.mark.parametrize(
    ("corrections", "kept"),
    [
        ([], "100.00"),
        ([Correction("refund", Decimal(30)), Correction("refund", Decimal(20))], "50.00"),
        ([Correction("refund", Decimal(30)), Correction("refund", Decimal(50), True)], "50.00"),
        ([Correction("refund", Decimal(60)), Correction("refund", Decimal(50), True)], "40.00"),
        ([Correction("chargeback", Decimal(100))], "0.00"),
        ([Correction("chargeback", Decimal(100)), Correction("reversal", Decimal(100))], "100.00"),
        ([Correction("refund", Decimal(130))], "0.00"),
        ([Correction("reversal", Decimal(30))], "100.00"),
    ],
)
def test_what_is_kept_of_a_payment(corrections: list[Correction], kept: str) -> None:
    assert kept_of(hkd("100.00"), corrections) == hkd(kept)


@pytest.mark.parametrize(
    ("ticket", "threshold", "reporting", "verdict"),
    [
        (Ticket(hkd("500.00"), hkd("500.00"), hkd("500.00")), hkd("500.00"), None, None),
        (
            Ticket(hkd("499.99"), hkd("499.99"), hkd("499.99")),
            hkd("500.00"),
            None,
            Decline.BELOW_AMOUNT,
        ),
        (Ticket(hkd("900.00"), hkd("500.00"), hkd("900.00")), hkd("500.00"), None, None),
        (
            Ticket(hkd("900.00"), hkd("499.00"), hkd("900.00")),
            hkd("500.00"),
            None,
            Decline.REFUNDED,
        ),
        (Ticket(gbp("50.00"), gbp("50.00"), hkd("500.00")), hkd("500.00"), hkd("500.00"), None),
        (
            Ticket(gbp("50.00"), gbp("49.00"), hkd("500.00")),
            hkd("500.00"),
            hkd("500.00"),
            Decline.REFUNDED,
        ),
        (
            Ticket(gbp("49.00"), gbp("49.00"), hkd("490.00")),
            hkd("500.00"),
            hkd("500.00"),
            Decline.BELOW_AMOUNT,
        ),
        (
            Ticket(hkd("900.00"), hkd("900.00"), hkd("900.00")),
            gbp("50.00"),
            None,
            Decline.NO_RATE,
        ),
        (
            Ticket(hkd("900.00"), hkd("900.00"), hkd("900.00")),
            gbp("50.00"),
            hkd("500.00"),
            None,
        ),
    ],
)
def test_a_ticket_against_the_amount(
    ticket: Ticket, threshold: Money, reporting: Money | None, verdict: Decline | None
) -> None:
    found = decline_ticket(ticket, threshold=threshold, reporting_threshold=reporting)

    assert found == verdict


# Occasions


def step(before: int | None, after: int) -> TierStep:
    return TierStep(after=f"t{after}", rank_before=before, rank_after=after, lowest_rank=1)


@pytest.mark.parametrize(
    ("happening", "tier", "verdict"),
    [
        (step(1, 2), None, None),
        (step(1, 3), "t3", None),
        (step(1, 3), "t2", Decline.OTHER_TIER),
        (step(3, 2), "t2", Decline.NOT_UPWARD),
        (step(None, 1), None, Decline.NOT_UPWARD),
        (step(None, 2), None, None),
    ],
)
def test_only_a_step_upward_counts(
    happening: TierStep, tier: str | None, verdict: Decline | None
) -> None:
    terms = Terms(started_at=NOON - DAY, freshness=DAY, tier=tier)

    found = decline_occasion(terms, Occasion(NOON, True, happening), now=NOON)

    assert found == verdict


def test_a_purchase_ends_a_silence() -> None:
    terms = Terms(started_at=NOON - DAY, freshness=DAY)
    silence = Silence(last_paid_at=NOON - 60 * DAY, last_paid_now=NOON - HOUR)

    found = decline_occasion(terms, Occasion(NOON, True, silence), now=NOON)

    assert found == Decline.BOUGHT_MEANWHILE


@pytest.mark.parametrize(
    ("occurred_at", "started_at", "may_message", "verdict"),
    [
        (NOON - HOUR, NOON - DAY, False, Decline.SOURCE_IS_SILENT),
        (NOON - DAY, NOON - 2 * DAY, True, Decline.TOO_OLD),
        (NOON - DAY + timedelta(seconds=1), NOON - 2 * DAY, True, None),
        (NOON - 2 * HOUR, NOON - HOUR, True, Decline.BEFORE_START),
        (NOON - HOUR, NOON - HOUR, True, None),
    ],
)
def test_what_is_old_or_quiet_sends_nothing(
    occurred_at: object, started_at: object, may_message: bool, verdict: Decline | None
) -> None:
    terms = Terms(started_at=started_at, freshness=DAY)  # type: ignore[arg-type]
    occasion = Occasion(occurred_at, may_message, step(1, 2))  # type: ignore[arg-type]

    assert decline_occasion(terms, occasion, now=NOON) == verdict


# Trying again


def test_waits_grow_and_end_after_a_day() -> None:
    waits = []
    now = NOON
    for attempts in range(1, 20):
        again = next_try(attempts=attempts, queued_at=NOON, now=now)
        if again is None:
            break
        waits.append((again - now) / timedelta(minutes=1))
        now = again

    assert waits == [1, 4, 16, 64, 240, 240, 240, 240, 240]
    assert now < NOON + DAY
