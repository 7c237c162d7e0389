"""Timed work of loyalty; when each runs stands in `config/schedule.py`."""

from celery import shared_task
from django.utils import timezone

from loyalty.services import expire, tiers


@shared_task(name="loyalty.expire_lots", ignore_result=True)
def expire_lots() -> None:
    expire.expire_lots(now=timezone.now())


@shared_task(name="loyalty.review_tiers", ignore_result=True)
def review_tiers() -> None:
    tiers.review_tiers(now=timezone.now())
