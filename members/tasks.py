"""Timed work of members; when each runs stands in `config/schedule.py`."""

from celery import shared_task
from django.utils import timezone

from members import throttling
from members.services import answers, webhooks


@shared_task(name="members.forget_answers", ignore_result=True)
def forget_answers() -> None:
    now = timezone.now()
    answers.forget_answers(now=now)
    throttling.forget_rates(now=now)


@shared_task(name="members.forget_deliveries", ignore_result=True)
def forget_deliveries() -> None:
    webhooks.forget_deliveries(now=timezone.now())
