"""What the log says of a row that fails: which one it is, and nothing of what is in it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from loyalty.models import Standing
from loyalty.services import settle
from loyalty.services.settle import settle_members
from loyalty.services.tiers import upgrade
from payments.models import Callback, CallbackBody, Transaction
from payments.services import translate
from payments.services.translate import translate_callbacks
from tests import build

pytestmark = pytest.mark.django_db


def send_three() -> None:
    for ref in ("first", "bad", "last"):
        build.send(build.payment(ref=ref, wallet=f"wallet-{ref}"))


def fails_said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [row.getMessage() for row in caplog.records if row.levelname == "ERROR"]


def test_a_post_that_fails_is_named_without_its_content(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    entry = translate._entry

    def entry_or_bug(post: Any, notice: Any, account: Any) -> Any:
        if notice.payment_ref == "bad":
            raise ValueError("a bug of ours")
        return entry(post, notice, account)

    monkeypatch.setattr(translate, "_entry", entry_or_bug)
    send_three()

    assert translate_callbacks(now=timezone.now() + timedelta(seconds=1), limit=500) == 2

    bad = Callback.objects.get(waiting_for="repair")
    sealed = bytes(CallbackBody.objects.get(callback_id=bad.pk).sealed)
    (line,) = fails_said(caplog)
    assert line.startswith(f"translate: _Post(id={bad.pk!r}, account_id={bad.account_id}, ")
    assert line.endswith(" fails: ValueError('a bug of ours')")
    assert repr(sealed)[2:-1] not in caplog.text


def test_a_member_whose_payment_fails_is_named_by_their_id(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    build.earning_rule()
    members = {ref: build.member(wallet=f"wallet-{ref}") for ref in ("first", "bad", "last")}

    def upgrade_or_bug(standings: list[Standing], *rest: Any, **named: Any) -> None:
        if members["bad"].pk in {standing.pk for standing in standings}:
            raise ValueError("a bug of ours")
        upgrade(standings, *rest, **named)

    monkeypatch.setattr(settle, "upgrade", upgrade_or_bug)
    send_three()
    now = timezone.now() + timedelta(seconds=1)
    translate_callbacks(now=now, limit=500)

    assert settle_members(now=now, limit=500) == 2

    assert Transaction.objects.get(waiting_for="repair").payment_ref == "bad"
    said = f"settle: {members['bad'].pk} fails: ValueError('a bug of ours')"
    assert fails_said(caplog) == [said]
