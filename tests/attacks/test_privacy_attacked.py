"""No column that can be read without a key holds who somebody is."""

import pytest
from django.core import mail
from django.db import connection

from campaigns.models import Message
from tests import build
from tests.campaigns import cast

pytestmark = pytest.mark.django_db


def everything_in_the_open() -> str:
    """Every row of every table, as somebody with a stolen dump and without the keys reads it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = current_schema()::regnamespace"
        )
        found = []
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT kept::text FROM {table} AS kept")
            found += [row for (row,) in cursor.fetchall()]
    return "\n".join(found)


def test_a_stolen_dump_names_nobody(settings: object) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"  # type: ignore[attr-defined]
    build.earning_rule()
    member = cast.reader("Zelda Quux", email="zelda.quux@example.com", phone="+852 9123 4567")
    cast.campaign(texts={"zh-hant": ("{{ name }}, hello", "Dear {{ name }}")})
    cast.sell(member)
    cast.drain()

    seen = everything_in_the_open()

    assert mail.outbox[0].subject == "Zelda Quux, hello"
    assert Message.objects.get().subject == "Z•••, hello"
    assert [word for word in ("Zelda", "Quux", "91234567", "zelda") if word in seen] == []
