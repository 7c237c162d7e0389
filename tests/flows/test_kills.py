"""Whatever is killed, and whenever: each acknowledged payment is booked once, and the books hold.

All platforms send at once. The sender keeps a journal of what was acknowledged and sends
everything else again, as platforms do. What the books must come to is worked out by
tests/model.py, which knows nothing of us.
"""

import http.client
import os
import queue
import random
import threading
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tests.flows.installation import ACCOUNTS, REPORT, SET_UP, STAGES, Installation
from tests.flows.platforms import Told, tell
from tests.flows.scenario import story
from tests.model import Bookkeeper
from tests.payments.providers.example import all_examples

# Each is sent twice. `KILL_CALLBACKS=5000` makes it 10,000 posts.
CALLBACKS = int(os.environ.get("KILL_CALLBACKS", "2000"))
SENDERS = 6
# Receive is the web's stage: killing a web server under load kills it in there.
TARGETS = [*STAGES * 4, *["web"] * 6, *["worker"] * 3, *["database"] * 4, *["supervisor"] * 3]


class Sender:
    """Sends the story in its random order, everything twice, until all of it is acknowledged."""

    def __init__(self, installation: Installation, sent: list[Told]) -> None:
        self.installation = installation
        self.todo: queue.Queue[int] = queue.Queue()
        self.sent = sent
        self.journal: list[int] = []
        self.tokens = threading.Semaphore(0)
        self.done = threading.Event()

    def work(self) -> None:
        while not self.done.is_set():
            if not self.tokens.acquire(timeout=0.2):
                continue
            try:
                number = self.todo.get_nowait()
            except queue.Empty:
                self.done.wait(0.1)
                continue
            if self._post(number):
                self.journal.append(number)
            else:
                self.done.wait(0.1)
                self.todo.put(number)
                self.tokens.release()

    def _post(self, number: int) -> bool:
        told = self.sent[number]
        post = told.signed(timezone.now())
        connection = http.client.HTTPConnection("127.0.0.1", self.installation.port, timeout=10)
        try:
            connection.request("POST", told.path, body=post.body, headers=dict(post.headers))
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        assert status < 300 or status >= 500, f"{told.code}: {status} for a genuine post."
        return status < 300


@pytest.mark.processes
def test_thirty_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("KILL_SEED", "0")) or random.randrange(10**9)
    print(f"KILL_SEED={seed}")  # noqa: T201 - whoever sees it fail can repeat it
    chance = random.Random(seed)
    installation = Installation(tmp_path / "data")
    try:
        installation.start()
        given = installation.ask(SET_UP)
        platforms = installation.ask(ACCOUNTS)
        told = tell(
            story(given["members"], payments=CALLBACKS, seed=seed, least=Decimal(1)),
            seed=seed,
            at=timezone.now(),
        )
        sent = _once_each(told)[:CALLBACKS]
        sender = Sender(installation, sent + sent)
        kills = _send_and_kill(installation, sender, chance)
        report = _report_at_rest(installation)
        proof = installation.run("verify_books")
    finally:
        installation.stop()

    assert sum(kills.values()) >= 30
    assert all(kills[stage] >= 3 for stage in (*STAGES, "web")), kills
    assert sorted(set(sender.journal)) == list(range(2 * CALLBACKS))
    assert len(platforms) >= 9, platforms
    assert len(report["keys"]) == len(set(report["keys"])) == CALLBACKS
    _compare(report, sent)
    assert "The books are right" in proof


def _send_and_kill(
    installation: Installation, sender: Sender, chance: random.Random
) -> Counter[str]:
    numbers = list(range(len(sender.sent)))
    chance.shuffle(numbers)
    for number in numbers:
        sender.todo.put(number)
    threads = [threading.Thread(target=sender.work) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    targets = chance.sample(TARGETS, len(TARGETS))
    share = len(numbers) // (len(targets) + 1)
    kills: Counter[str] = Counter()
    try:
        for target in targets:
            sender.tokens.release(share)
            sender.done.wait(chance.uniform(0.2, 1.5))
            # It may just be starting again, or have nothing to do: then once more.
            kills[target] += any(installation.kill(target, chance) for _ in range(3))
        sender.tokens.release(len(numbers))
        _wait(lambda: len(set(sender.journal)) == len(numbers), seconds=240)
    finally:
        sender.done.set()
        for thread in threads:
            thread.join()
    return kills


def _report_at_rest(installation: Installation) -> dict[str, Any]:
    report: dict[str, Any] = {}

    def is_at_rest() -> bool:
        report.update(installation.ask(REPORT))
        on_their_way = report["callbacks_due"], report["transactions_due"]
        return not any(on_their_way) and not report["messages"].get("queued")

    _wait(is_at_rest, seconds=120)
    return report


def _wait(condition: Any, *, seconds: float) -> None:
    clock = threading.Event()
    for _ in range(int(seconds * 2)):
        if condition():
            return
        clock.wait(0.5)
    pytest.fail("It does not come to rest.")


def _once_each(told: list[Told]) -> list[Told]:
    """The story repeats some: a repetition is the same post, and will be sent twice anyhow."""
    seen: dict[tuple[str, bytes], Told] = {}
    for each in told:
        seen.setdefault((each.code, each.post.body), each)
    return list(seen.values())


def _compare(report: dict[str, Any], sent: list[Told]) -> None:
    model = Bookkeeper(tiers=[("basic", Decimal(0), Fraction(1))])
    numbers: dict[str, tuple[str, str]] = {}
    for told in sent:
        model.read(told.payload)
        ref = told.payload["data"]["payment_ref"]
        numbers[ref] = (told.code, all_examples()[told.code].known_as(ref))
    wanted = dict.fromkeys((numbers[_payment_of(effect)] for _, effect in model.points), 0)
    for (_, effect), points in model.points.items():
        wanted[numbers[_payment_of(effect)]] += points
    # Which of two refunds took an odd point depends on which came first, and some platforms tell
    # what had been taken once more when they give it back; their sum depends on neither.
    assert {(code, ref): points for code, ref, points in report["points"]} == wanted
    assert report["awarded"] == report["awards"]
    assert {code: points for code, points in report["balance"].items() if points} == {
        code: points for code, points in model.balance.items() if points
    }
    assert report["unfinished"] == len(model.early)  # Their payments were left out of the story.
    assert report["coupons"] == report["issued"]
    assert sum(report["messages"].values()) == report["decisions"]


def _payment_of(effect: str) -> str:
    """`p7` of `p7`, `r7.1`, `c7` and `reversed c7`: the story numbers them alike."""
    return "p" + effect.rsplit(maxsplit=1)[-1][1:].partition(".")[0]
