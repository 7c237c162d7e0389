"""Purchases with a coupon, refunded and disputed."""

from typing import Any

from django.utils import timezone

from config.pipeline import STAGES, run
from loyalty.models import Coupon, CouponUse
from loyalty.services.coupons import redeem_coupon
from members.models import Member
from tests import build
from tests.api import till
from tests.flows.test_guards import later

POINTS = tuple(stage for stage in STAGES if stage.part == "points")


def coupon(holder: Member, **options: Any) -> Coupon:
    return till.coupon(till.coupon_type(**options), holder=holder, now=timezone.now())


def redeem(held: Coupon, order_ref: str = "A-1", **given: Any) -> CouponUse:
    options = {"bill": None, "store": None, "now": timezone.now(), **given}
    return redeem_coupon(held.code, order_ref=order_ref, **options)


def pay(holder: Member, ref: str = "p1", amount: str = "88.00", **given: Any) -> None:
    said = {"order_ref": "A-1", "member": holder.code, **given}
    build.send(build.payment(amount, ref=ref, **said))


def back(of: str = "p1", amount: str = "88.00", **given: Any) -> None:
    build.send(build.refund(of, amount, **given))


def dispute(what: str, of: str = "p1", amount: str = "88.00", ref: str = "d1") -> dict[str, Any]:
    payload = build.refund(of, amount)
    payload["data"]["chargeback_ref"] = ref
    return {"type": f"chargeback.{what}", "data": payload["data"]}


def drain(limit: int = 500) -> None:
    while run(now=later(), limit=limit, stages=POINTS):
        pass


def standing(held: Coupon) -> list[int]:
    """The numbers of the uses that stand."""
    rows = held.uses.filter(cancelled_at=None).order_by("number")
    return list(rows.values_list("number", flat=True))
