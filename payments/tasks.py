"""Timed work of payments; when each runs stands in `config/schedule.py`."""

from celery import shared_task
from django.utils import timezone

from payments.services import (
    bodies,
    fetched_rates,
    linking,
    queries,
    rates,
    relay,
    retention,
    silence,
)
from payments.services.reconcile import comparing


@shared_task(name="payments.make_partitions", ignore_result=True)
def make_partitions() -> None:
    bodies.make_partitions(today=timezone.now().date())


@shared_task(name="payments.match_waiting", ignore_result=True)
def match_waiting() -> None:
    linking.match_all_waiting()
    rates.resume_rated()


@shared_task(name="payments.forget_queries", ignore_result=True)
def forget_queries() -> None:
    queries.forget_queries(now=timezone.now())


@shared_task(name="payments.forget_relayed", ignore_result=True)
def forget_relayed() -> None:
    relay.forget_relayed(now=timezone.now())


@shared_task(name="payments.compare_settlements", ignore_result=True)
def compare_settlements() -> None:
    comparing.compare_due(now=timezone.now())


@shared_task(name="payments.watch_silence", ignore_result=True)
def watch_silence() -> None:
    now = timezone.now()
    silence.watch(now=now)
    silence.tell_staff(now=now)


@shared_task(name="payments.prune", ignore_result=True)
def prune() -> None:
    retention.prune(now=timezone.now())


@shared_task(name="payments.fetch_rates", ignore_result=True)
def fetch_rates() -> None:
    fetched_rates.fetch_rates(now=timezone.now())
