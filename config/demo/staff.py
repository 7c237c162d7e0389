"""People at work in the demo, the till's key, and the one file that says how to get in."""

import secrets
from pathlib import Path
from typing import Final

from django.contrib.auth.models import Group, User

from config.groups import make_groups
from members.keys import make_key
from members.models import ApiKey, StaffScope, Store

_STAFF: Final = (
    ("marketing", "Marketing", ""),
    ("mongkok", "Store manager", "MK"),
    ("cashier", "Cashier", "MK"),
    ("finance", "Finance", ""),
)


def hire_staff(note: Path) -> User:
    """One user for each group, Mong Kok's see their own store only; returns its manager.

    Passwords and the API key are random and stand in `note`, which only its owner may read.
    """
    make_groups()
    lines = ["# Users of the demo merchant"]
    hired = {}
    for name, group, code in _STAFF:
        password = secrets.token_urlsafe(12)
        user = User.objects.create_user(name, password=password, is_staff=True)
        user.groups.add(Group.objects.get(name=group))
        scope = StaffScope.objects.create(user=user, sees_everything=not code)
        scope.stores.set(Store.objects.filter(code=code))
        hired[name] = user
        lines.append(f"{name}: {password}")
    store = Store.objects.get(code="MK")
    _key, plain = make_key("POS MK", scopes=ApiKey.Scope.values, store=store)
    lines += ["", "# API key of the till in Mong Kok", plain, ""]
    note.touch(mode=0o600)
    note.write_text("\n".join(lines))
    return hired["mongkok"]
