from uuid import NAMESPACE_URL, uuid5

from django.db import migrations


def make_system_accounts(apps, schema_editor):
    account = apps.get_model("loyalty", "PointAccount")
    for kind in ("issued", "expired", "adjusted"):
        pk = uuid5(NAMESPACE_URL, f"regulars:point-account:{kind}")
        account.objects.get_or_create(kind=kind, member=None, defaults={"id": pk})


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0002_guard_facts")]

    operations = [migrations.RunPython(make_system_accounts, migrations.RunPython.noop)]
