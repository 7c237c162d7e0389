"""Each group of staff may do its job, and no more."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from members.models import StaffScope
from payments.models import Account, Callback
from tests.admin.conftest import World
from tests.admin.test_pages import url_of


@pytest.mark.parametrize(
    ("group", "may", "may_not"),
    [
        ("Cashier", "loyalty.redeem_coupon", "loyalty.adjust_points"),
        ("Marketing", "campaigns.run_campaign", "members.see_personal_data"),
        ("Store manager", "payments.link_transaction", "payments.view_account"),
        ("Finance", "payments.replay_callback", "members.see_personal_data"),
        ("Administrator", "payments.change_account", "admin.delete_logentry"),
    ],
)
def test_each_group_may_do_its_job_and_no_more(
    world: World, group: str, may: str, may_not: str
) -> None:
    user = User.objects.create_user(group)
    user.groups.add(Group.objects.get(name=group))

    assert user.has_perm(may)
    assert not user.has_perm(may_not)


def test_a_cashier_sees_only_what_the_till_needs(world: World) -> None:
    cashier = User.objects.create_user("cashier", is_staff=True)
    cashier.groups.add(Group.objects.get(name="Cashier"))
    StaffScope.objects.create(user=cashier).stores.add(world.near.store)
    client = Client()
    client.force_login(cashier)

    page = client.get("/admin/").content.decode()

    assert client.get(url_of(Callback, "changelist")).status_code == 403
    assert client.get(url_of(Account, "changelist")).status_code == 403
    assert "Payments by day" not in page
    assert "Refused posts" not in page
    assert Permission.objects.filter(group__name="Cashier").count() >= 6
