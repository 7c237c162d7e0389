from config.celery import app
from config.schedule import JOBS


def test_every_task_is_in_the_schedule_and_every_job_has_a_task() -> None:
    app.loader.import_default_modules()

    ours = {name for name in app.tasks if not name.startswith("celery.")}
    assert {job.task for job in JOBS} == ours
    assert len({job.name for job in JOBS}) == len(JOBS)


def test_every_job_expires() -> None:
    assert all(job.expires for job in JOBS)
    assert all(bool(job.every) != bool(job.crontab) for job in JOBS)
