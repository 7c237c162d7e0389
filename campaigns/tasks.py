"""Timed work of campaigns; when each runs stands in `config/schedule.py`."""

from celery import shared_task
from django.utils import timezone

from campaigns.services import silence


@shared_task(name="campaigns.find_silent_members", ignore_result=True)
def find_silent_members() -> None:
    now = timezone.now()
    silence.queue_withheld(now=now)  # They have waited longest for the day's places.
    silence.find_silent_members(now=now)
