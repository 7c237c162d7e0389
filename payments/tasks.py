"""Timed work of payments; when each runs stands in `config/schedule.py`."""

from celery import shared_task
from django.utils import timezone

from payments.services import bodies, linking, queries


@shared_task(name="payments.make_partitions", ignore_result=True)
def make_partitions() -> None:
    bodies.make_partitions(today=timezone.now().date())


@shared_task(name="payments.match_waiting", ignore_result=True)
def match_waiting() -> None:
    linking.match_all_waiting()


@shared_task(name="payments.forget_queries", ignore_result=True)
def forget_queries() -> None:
    queries.forget_queries(now=timezone.now())
