"""Tills that do not exist: load with figures, or one payment to watch."""

from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.utils import timezone

from config.simulation import one, report
from config.simulation.load import Plan, plan_sales, run
from config.simulation.till import Door, NoAnswer, NoTill, door_of
from kit.money import Money
from members.models import Member, Programme


class Command(BaseCommand):
    help = (
        "Send signed payments to a running server and measure until their points can be read;"
        " --one sends a single large payment and says where to look."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--url", default="http://127.0.0.1:8000", help="The running server.")
        add("--one", action="store_true", help="One large payment of one member.")
        add("--member", default="", help="With --one: the member's number.")
        add("--amount", type=Decimal, default=Decimal(8800), help="With --one: how much.")
        add("--rate", type=float, default=100, help="Payments a second.")
        add("--seconds", type=float, default=60)
        add("--hot", type=float, default=0.02, help="The part that one single member makes.")
        add("--resent", type=float, default=0.02, help="The part that is sent again, two ways.")
        add("--members", type=int, default=5000, help="Of how many members, at most.")
        add("--seed", type=int, default=1)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            door = door_of(options["url"])
            self._one(door, options) if options["one"] else self._load(door, options)
        except NoTill as problem:
            raise CommandError(str(problem)) from problem
        except NoAnswer as problem:
            message = f"{options['url']} does not answer ({problem}). Start it with: make run"
            raise CommandError(message) from problem

    def _one(self, door: Door, options: dict[str, Any]) -> None:
        money = Money.parse(options["amount"], Programme.current().currency)
        member = one.choose_member(options["member"])
        for line in one.pay(member, money, door, now=timezone.now()):
            self.stdout.write(line)

    def _load(self, door: Door, options: dict[str, Any]) -> None:
        members = Member.objects.order_by("pk").values_list("code", flat=True)
        codes = list(members[: options["members"]])
        if not codes:
            raise NoTill("There are no members yet. `manage.py demo` makes some.")
        plan = Plan(**{name: options[name] for name in _OF_PLAN})
        sales = plan_sales(plan, codes, currency=Programme.current().currency)
        outcome = run(plan, sales, door, _database())
        for line in report.lines(outcome):
            self.stdout.write(line)
        if outcome.lost or outcome.doubled or outcome.refused:
            raise CommandError("Payments were lost, doubled or refused.")


def _database() -> dict[str, Any]:
    """What psycopg alone needs to open a connection of its own."""
    given = connection.settings_dict
    named = {
        "host": given["HOST"],
        "port": given["PORT"],
        "dbname": given["NAME"],
        "user": given["USER"],
        "password": given["PASSWORD"],
    }
    return {name: value for name, value in named.items() if value}


_OF_PLAN = ("rate", "seconds", "hot", "resent", "seed")
