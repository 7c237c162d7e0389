"""From the page of timed jobs to the rows that staff may edit."""

from datetime import timedelta

import pytest
from django_celery_beat.models import PeriodicTask

from config.schedule import Job
from config.scheduling import seed_jobs

SWEEP = Job("Sweep", "kit.sweep", "Keeps it tidy.", timedelta(minutes=5), every=timedelta(hours=1))
NIGHTLY = Job("Nightly", "kit.review", "Once a day.", timedelta(hours=2), crontab="30 3 * * *")


@pytest.mark.django_db
def test_missing_jobs_become_rows() -> None:
    assert seed_jobs((SWEEP, NIGHTLY)) == 2

    sweep = PeriodicTask.objects.get(name="Sweep")
    assert (sweep.task, sweep.interval.every, sweep.expire_seconds) == ("kit.sweep", 3600, 300)
    assert str(PeriodicTask.objects.get(name="Nightly").crontab).startswith("30 3 * * *")


@pytest.mark.django_db
def test_what_staff_changed_survives_a_deployment() -> None:
    seed_jobs((SWEEP,))
    PeriodicTask.objects.filter(name="Sweep").update(enabled=False)

    assert seed_jobs((SWEEP, NIGHTLY)) == 1
    assert not PeriodicTask.objects.get(name="Sweep").enabled
