"""A whole installation under its supervisor, to be sent payments and to be shot at."""

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.payments.providers.example import SHOP

ROOT = Path(__file__).resolve().parent.parent.parent
STAGES = ("translate", "settle", "react", "deliver")

# Run inside the installation: a programme whose books do not depend on the order of payments.
SET_UP = """
import json
from decimal import Decimal
from tests import build
from campaigns.models import Campaign, CampaignText
from campaigns.services.running import start_campaign
from loyalty.models import Tier
from django.utils import timezone

build.programme()
for rank, (code, threshold) in enumerate({"basic": 0, "silver": 2000, "gold": 9000}.items()):
    Tier.objects.create(code=code, name=code, rank=rank, threshold=threshold)
build.earning_rule(rates={currency: ("10", 1) for currency in ("HKD", "CNY", "TWD", "USD")})
campaign = Campaign.objects.create(
    name="Large", trigger="large_ticket", amount=Decimal(700), currency="HKD",
    coupon_type=build.coupon_type(),
)
for language in ("en", "zh-hant", "zh-hans"):
    CampaignText.objects.create(
        campaign=campaign, language=language, subject="Yours", body="{{ coupon_code }}"
    )
start_campaign(campaign, include_silent=False, now=timezone.now())
members = [build.member(email=f"m{n}@example.com") for n in range(40)]
from members.services.consents import (set_consent)
for member in members:
    set_consent(member, is_granted=True, source="demo", now=timezone.now())
account = build.account()
print(json.dumps({"token": account.token, "members": [member.code for member in members]}))
"""

# Run inside the installation: an account at every platform that the tests can play.
ACCOUNTS = """
import json
from datetime import date
from decimal import Decimal
from django.utils import timezone
from payments.services.rates import enter_rate
from tests import build
from tests.flows.platforms import currency_of, tellers
from tests.payments.providers.example import token_of

for example in tellers():
    code, keys = example.code, example.keys
    build.account(
        code, secrets=keys.secrets, settings=dict(keys.settings), token=token_of(code)
    )
for currency in {currency_of(example) for example in tellers()} - {"HKD"}:
    enter_rate(
        currency=currency, valid_from=date(2020, 1, 1), rate=Decimal(1), source="test",
        now=timezone.now(),
    )
print(json.dumps([example.code for example in tellers()]))
"""

# Run inside the installation at the end: what it says that happened.
REPORT = """
import json
from django.db.models import Count, Sum
from campaigns.models import Decision, Message
from kit.work import IS_DUE
from loyalty.models import Award, Coupon, CouponType, Standing
from payments.models import Callback, Transaction

print(json.dumps({
    "keys": sorted(
        "/".join(key) for key in Callback.objects.values_list("account__provider", "delivery_key")
    ),
    "points": list(
        Award.objects.values_list("transaction__account__provider", "transaction__payment_ref")
        .annotate(Sum("points"))
    ),
    "awards": Award.objects.count(),
    "awarded": Award.objects.values("transaction").distinct().count(),
    "balance": dict(Standing.objects.values_list("member__code", "balance")),
    "unfinished": Transaction.objects.exclude(due_at=None)
    .values("account", "payment_ref").distinct().count(),
    "callbacks_due": Callback.objects.exclude(due_at=None).count(),
    "transactions_due": Transaction.objects.filter(IS_DUE).count(),
    "large": Transaction.objects.filter(kind="payment", amount__gte=700).count(),
    "decisions": Decision.objects.count(),
    "coupons": Coupon.objects.count(),
    "issued": sum(CouponType.objects.values_list("issued", flat=True)),
    "messages": dict(Message.objects.values_list("state").annotate(Count("pk"))),
    "sent": [str(pk) for pk in Message.objects.filter(state="sent").values_list("pk", flat=True)],
}))
"""


class Installation:
    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.port = _free_port()
        self.log = (data_dir.parent / "log").open("ab")
        self.supervisor: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.supervisor = subprocess.Popen(
            [sys.executable, "-m", "config.local.supervisor"],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        deadline = time.monotonic() + 240
        while not self._answers():
            assert self.supervisor.poll() is None, "The supervisor gave up."
            assert time.monotonic() < deadline, "The installation does not come up."
            time.sleep(0.1)

    def stop(self) -> None:
        if self.supervisor and self.supervisor.poll() is None:
            self.supervisor.terminate()
            self.supervisor.wait(90)
        self.log.close()

    @property
    def environment(self) -> dict[str, str]:
        wanted = ("PATH", "HOME", "CELERY_BROKER_URL")
        kept = {name: os.environ[name] for name in wanted if name in os.environ}
        return {
            **kept,
            "DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
            "DEMO": "0",
            "PUBLIC_URL": SHOP,
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
        }

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, script: str) -> Any:
        return json.loads(self.run("shell", "--no-imports", "-c", script).splitlines()[-1])

    def processes(self, name: str) -> list[psutil.Process]:
        """Ours alone: they carry our DATA_DIR and their role in their environment."""
        return [
            process
            for process, environment in _environments()
            if environment.get("DATA_DIR") == str(self.data_dir)
            and environment.get("PROCESS_NAME") == name
        ]

    def kill(self, target: str, chance: random.Random) -> bool:
        """Kill -9 one process of `target`; for a stage, the road while it is in that stage."""
        if target == "supervisor":
            assert self.supervisor is not None
            self.supervisor.kill()
            self.supervisor.wait()
            self.start()
            return True
        if target in STAGES:
            return self._kill_in_stage(target)
        victims = self.processes(target)
        with suppress(psutil.NoSuchProcess, IndexError):
            chance.choice(victims).kill()
            return True
        return False

    def _kill_in_stage(self, stage: str, *, patience: float = 20) -> bool:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            parts = ("road", "offers", "post", "calls")
            roads = [each for name in parts for each in self.processes(name)]
            until = time.monotonic() + 1
            while time.monotonic() < until:
                for road in roads:
                    if _is_in(road, stage):
                        with suppress(psutil.NoSuchProcess):
                            road.kill()
                            return True
        return False

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False


def _is_in(road: psutil.Process, stage: str) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{road.pid}/comm").read_text().strip() == f"road:{stage}"
    return False


def _environments() -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            yield process, process.environ()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
