"""From the list of timed jobs to the rows that Celery beat reads."""

from django.conf import settings
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from config.schedule import Job


def seed_jobs(jobs: tuple[Job, ...]) -> int:
    """Add the jobs that have no row yet and return how many; rows that exist are staff's."""
    known = set(PeriodicTask.objects.values_list("name", flat=True))
    missing = [job for job in jobs if job.name not in known]
    for job in missing:
        PeriodicTask.objects.get_or_create(
            name=job.name,
            defaults={
                "task": job.task,
                "description": job.why,
                "expire_seconds": int(job.expires.total_seconds()),
                **_timing(job),
            },
        )
    return len(missing)


def _timing(job: Job) -> dict[str, CrontabSchedule | IntervalSchedule]:
    if job.every is not None:
        seconds = int(job.every.total_seconds())
        interval, _ = IntervalSchedule.objects.get_or_create(
            every=seconds, period=IntervalSchedule.SECONDS
        )
        return {"interval": interval}
    minute, hour, day, month, weekday = job.crontab.split()
    crontab, _ = CrontabSchedule.objects.get_or_create(
        minute=minute,
        hour=hour,
        day_of_month=day,
        month_of_year=month,
        day_of_week=weekday,
        timezone=settings.TIME_ZONE,
    )
    return {"crontab": crontab}
