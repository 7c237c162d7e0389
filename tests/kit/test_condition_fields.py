"""Registries: who may ask about what."""

import pytest

from kit.conditions import Field, Kind, Operator, Registry


def test_a_registry_for_queries_offers_only_what_can_be_queried() -> None:
    payment = Registry("payment")
    payment.register(
        Field("visits", "Visits", Kind.NUMBER, query="visits"),
        Field("amount", "Amount", Kind.MONEY),
    )
    segment = Registry("segment", includes=[payment], is_for_queries=True)

    assert [field.name for _, field in segment.grouped()] == ["visits"]


def test_an_app_higher_up_may_add_a_field_later_but_never_a_second_one_of_that_name() -> None:
    lower = Registry("lower")
    upper = Registry("upper", includes=[lower])

    lower.register(Field("late", "Late", Kind.NUMBER))

    assert upper.find("late") is not None
    with pytest.raises(ValueError, match="late"):
        upper.register(Field("late", "Late again", Kind.NUMBER))


def test_a_field_may_keep_to_fewer_operators() -> None:
    field = Field("n", "N", Kind.NUMBER, only_operators=(Operator.EQUAL,), is_optional=True)

    assert field.operators == (Operator.EQUAL, Operator.IS_EMPTY, Operator.IS_FILLED)
