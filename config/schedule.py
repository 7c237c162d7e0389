"""Every timed job, one line each: when, what, why. `manage.py prepare` makes the rows that are
missing; what staff change about a job in the admin afterwards survives every deployment."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Job:
    """`task` runs `every` so often, or at `crontab` ("minute hour day month weekday", in the
    zone of the settings). `expires`: if no worker took it by then, it is dropped."""

    name: str
    task: str
    why: str
    expires: timedelta
    every: timedelta | None = None
    crontab: str = ""


JOBS: tuple[Job, ...] = (
    Job(
        name="Let points lapse",
        task="loyalty.expire_lots",
        why="Points lapse at the end of a month in the programme's zone, whichever that is.",
        expires=timedelta(minutes=50),
        crontab="5 * * * *",
    ),
    Job(
        name="Review tiers",
        task="loyalty.review_tiers",
        why="Spend falls out of its 12 months each day; the policy says who moves down.",
        expires=timedelta(hours=6),
        crontab="30 3 * * *",
    ),
    Job(
        name="Make next months' partitions",
        task="payments.make_partitions",
        why="Bodies of callbacks lie in a table for each month, made before the month begins.",
        expires=timedelta(hours=12),
        crontab="15 2 * * *",
    ),
    Job(
        name="Match waiting payments",
        task="payments.match_waiting",
        why="A member may have become known on a way that did not look for earlier payments.",
        expires=timedelta(minutes=10),
        every=timedelta(minutes=15),
    ),
    Job(
        name="Find silent members",
        task="campaigns.find_silent_members",
        why="“We miss you” campaigns look for who has not bought for long.",
        expires=timedelta(minutes=50),
        crontab="10 * * * *",
    ),
    Job(
        name="Forget old API answers",
        task="members.forget_answers",
        why="A till repeats within days: a month later its answers, and old counts, are not kept.",
        expires=timedelta(hours=6),
        crontab="40 4 * * *",
    ),
    Job(
        name="Forget old queries",
        task="payments.forget_queries",
        why="What a platform said of payments that were never paid is not needed after a month.",
        expires=timedelta(hours=6),
        crontab="50 4 * * *",
    ),
    Job(
        name="Forget old webhooks",
        task="members.forget_deliveries",
        why="What was told is kept for a month to look at, what nobody took for three.",
        expires=timedelta(hours=6),
        crontab="0 5 * * *",
    ),
    Job(
        name="Forget relayed posts",
        task="payments.forget_relayed",
        why="What was passed on is kept for a month to look at, what nobody took for three.",
        expires=timedelta(hours=6),
        crontab="10 5 * * *",
    ),
    Job(
        name="Compare large settlement files",
        task="payments.compare_settlements",
        why="Small ones are compared at once; a large one would keep whoever uploads it waiting.",
        expires=timedelta(minutes=2),
        every=timedelta(minutes=1),
    ),
    Job(
        name="Watch for silence",
        task="payments.watch_silence",
        why="A platform that no longer reaches us says nothing; its own rhythm tells.",
        expires=timedelta(minutes=4),
        every=timedelta(minutes=5),
    ),
    Job(
        name="Delete old content of posts",
        task="payments.prune",
        why="What platforms sent holds personal data; the programme says how long it is kept.",
        expires=timedelta(hours=12),
        crontab="45 2 * * *",
    ),
    Job(
        name="Fetch exchange rates",
        task="payments.fetch_rates",
        why="Reference rates come out on working days; nothing is fetched until the settings say"
        " from where.",
        expires=timedelta(hours=3),
        crontab="20 */4 * * *",
    ),
)
