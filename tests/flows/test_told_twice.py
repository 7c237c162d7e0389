"""A platform tells of one payment twice, and only one of the notices says whose it is."""

import pytest
from django.utils import timezone

from config import pipeline
from payments.models import Transaction
from tests import build
from tests.flows.scenario import books

pytestmark = pytest.mark.django_db


def test_a_later_notice_that_names_the_member_links_the_payment() -> None:
    build.programme()
    build.earning_rule()
    mei = build.member()
    build.send(build.payment("88.00", ref="p1"), message_id="bare")
    pipeline.run(now=timezone.now())
    assert Transaction.objects.get().member is None

    for message_id in ("named", "named again"):
        build.send(build.payment("88.00", ref="p1", member=mei.code), message_id=message_id)
        pipeline.run(now=timezone.now())

    assert build.balance_of(mei) == 88
    assert Transaction.objects.get().member == mei


def test_a_later_notice_takes_a_payment_from_nobody() -> None:
    build.programme()
    build.earning_rule()
    mei, bo = build.member(), build.member()
    build.send(build.payment("88.00", ref="p1", member=mei.code), message_id="first")
    pipeline.run(now=timezone.now())
    before = books()

    build.send(build.payment("88.00", ref="p1", member=bo.code), message_id="second")
    pipeline.run(now=timezone.now())

    assert books() == before
    assert not bo.transactions.exists()
