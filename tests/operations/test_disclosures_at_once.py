"""Two clicks that reach two processes at once are one disclosure."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from payments.admin.payloads import disclose
from payments.models import Callback, Disclosure
from tests import build
from tests.build import NOON

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_second_click_waits_for_the_first_and_finds_it() -> None:
    build.programme()
    build.account(store=build.store())
    build.send(build.payment("95.00"))
    callback, boss, opened = Callback.objects.get(), User.objects.create_user("boss"), []

    def click() -> None:
        opened.append(
            disclose(
                callback,
                account=callback.account,
                subject="callback",
                reason="客訴",
                by=boss,
                now=NOON,
            ).pk
        )

    def click_in_another_process() -> None:
        click()
        connection.close()

    with transaction.atomic():
        click()
        second = threading.Thread(target=click_in_another_process)
        second.start()
        second.join(timeout=0.5)
        is_waiting = second.is_alive()
    second.join()

    assert is_waiting
    assert opened == [Disclosure.objects.get().pk] * 2
