"""What account health tells of a demo merchant is what a real one would read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.account_health import health_of
from config.demo.fill import Scale, fill
from payments.models import Account

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


@pytest.mark.django_db
def test_points_of_the_last_day_came_within_seconds(tmp_path: Path) -> None:
    scale = Scale(members=200, days=20, seed=7)

    fill(scale, folder=tmp_path, now=NOW, say=lambda line: None)

    accounts = list(Account.objects.values_list("pk", flat=True))
    lags = [health.p95_lag for health in health_of(accounts, now=NOW).values() if health.p95_lag]
    assert lags
    assert max(lags) <= 6
