"""The long lists that are asked for a period stand on an index of its time, in that order."""

from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model

from kit.admin import PeriodFilter
from loyalty.models import Award, Coupon, Transfer
from payments.models import Callback, Transaction


@pytest.mark.parametrize("model", [Award, Callback, Coupon, Transaction, Transfer])
def test_a_long_list_is_ordered_by_the_indexed_time_of_its_period(model: type[Model]) -> None:
    desk: Any = admin.site._registry[model]
    kinds = [entry for entry in desk.list_filter if isinstance(entry, tuple)]

    columns = [column for column, kind in kinds if kind is PeriodFilter]

    plain = [index.fields for index in model._meta.indexes if not index.condition]
    assert desk.ordering == [f"-{column}" for column in columns]
    assert desk.ordering in plain
