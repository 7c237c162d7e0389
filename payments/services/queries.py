"""Query: a platform is asked what became of a payment, and its answer goes down the road.

Asking changes nothing at the platform, so a question whose process died is simply asked again
when its lease is over. The answer that tells of money is stored as a callback: genuine, because we
asked, over TLS, with our own signature. Translating reads it like any other.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from django.db.models import F, QuerySet

from kit import outward
from kit.said import said
from kit.switchboard import Exchange, Switchboard
from kit.work import IS_DUE, REPAIR
from payments.models import Account, Callback, Query
from payments.providers import all_providers
from payments.providers.base import (
    Answer,
    CannotAnswer,
    Conversation,
    Ignored,
    Inbound,
    MalformedPayload,
    Notice,
    NotYet,
    Outgoing,
    Question,
    Reason,
    Rejected,
    Trouble,
    Unknown,
    Verified,
)
from payments.services.accounts import KnownAccount, known_accounts
from payments.services.hints import ask_about, ask_once_more
from payments.services.receive import refuse, store

# A platform that is slow is given up by its time-out long before.
LEASE: Final = timedelta(minutes=2)
PAUSES: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 15, 60, 300, 900, 3600, 3 * 3600, 8 * 3600, 12 * 3600)
)
KEPT: Final = timedelta(days=30)
# While a platform is down, its other questions wait too: each would cost a time-out.
_REST: Final = timedelta(seconds=30)
# Of one account: a platform that hangs holds up itself and no other.
MOST_AT_ONCE: Final = 4
_PATIENCE: Final = outward.Patience(connect=4.0, total=10.0)
_MOST_STEPS: Final = 6
_MOST_KEPT: Final = 100

_kept_answers: dict[str, tuple[datetime, Answer]] = {}


class CannotBeAsked(ValueError):
    """This platform has no way of being asked about a payment."""


@dataclass(frozen=True, slots=True)
class Asked:
    """`hints`: how many had come when the platform was asked."""

    query_id: int
    account: KnownAccount
    question: Question
    hints: int

    @property
    def lane(self) -> int:
        return self.account.id


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of asking: an answer with its meaning, or the trouble that kept it from us."""

    answer: Inbound | None = None
    reading: list[Notice] | Ignored | None = None
    trouble: Trouble | None = None
    detail: str = ""


def query_platforms(*, now: datetime, limit: int) -> int:
    """One turn: note what was answered, ask what is due."""
    return _BOARD.turn(now=now, limit=limit)


def ask_platform(account: Account, reference: str, *, now: datetime) -> None:
    """Staff want to know what became of a payment; raises CannotBeAsked."""
    if not can_be_asked(account.provider):
        raise CannotBeAsked(account.provider)
    ask_about(account.pk, reference, now=now)


def can_be_asked(provider_code: str) -> bool:
    provider = all_providers().get(provider_code)
    return provider is not None and provider.ask is not None


def ask_again(queries: QuerySet[Query], *, now: datetime) -> int:
    """Ask about these once more, from the first pause on."""
    return queries.update(
        due_at=now, attempts=0, waiting_for="", error="", outcome="", is_wanted=True
    )


def forget_queries(*, now: datetime) -> int:
    """Drop what was answered long ago and told of no money."""
    old = Query.objects.filter(due_at__isnull=True, callback__isnull=True, asked_at__lt=now - KEPT)
    return old.delete()[0]


def converse(conversation: Conversation, *, now: datetime) -> Inbound:
    """Carry the provider's requests out, one after the other; returns the answer that counts."""
    answer: Answer | None = None
    for _step in range(_MOST_STEPS):
        try:
            outgoing = next(conversation) if answer is None else conversation.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        answer = _fetch(outgoing, now=now)
    raise CannotAnswer(Trouble.UNREADABLE, said("The conversation does not end."))


def _fetch(outgoing: Outgoing, *, now: datetime) -> Answer:
    """The answer, or the one that is kept: an access token is not asked for each time."""
    if not outgoing.kept_for:
        return _sent(outgoing)
    key = _digest(outgoing)
    kept = _kept_answers.get(key)
    if kept is not None and kept[0] > now:
        return kept[1]
    answer = _sent(outgoing)
    if answer.status == 200:
        if len(_kept_answers) >= _MOST_KEPT:
            _kept_answers.clear()
        _kept_answers[key] = (now + outgoing.kept_for, answer)
    return answer


def _digest(outgoing: Outgoing) -> str:
    """The same for the same request. Headers tell accounts apart too: some hold the password."""
    head = [outgoing.method, outgoing.url, sorted(outgoing.headers.items())]
    return hashlib.sha256(json.dumps(head).encode() + b"\0" + outgoing.body).hexdigest()


def _sent(outgoing: Outgoing) -> Answer:
    request = outward.Outgoing(outgoing.method, outgoing.url, outgoing.headers, outgoing.body)
    answer = outward.fetch(request, patience=_PATIENCE)
    return Answer(answer.status, answer.body)


def _claim(busy: Mapping[Any, int], room: int, now: datetime) -> list[Asked]:
    """Lease what is due, of each account as many as may be under way at once."""
    picked = _pick(busy, room, now)
    accounts = known_accounts(query.account_id for query in picked)
    asked = []
    for query in picked:
        account = accounts[query.account_id]
        rows = Query.objects.filter(pk=query.pk)
        if account.provider.ask is None:
            rows.update(waiting_for=REPAIR, error=said("This platform cannot be asked."))
            continue
        rows.update(due_at=now + LEASE, asked_at=now, attempts=F("attempts") + 1)
        question = Question(query.reference, nonce=str(uuid4()), at=now)
        asked.append(Asked(query.pk, account, question, query.hints))
    return asked


def _pick(busy: Mapping[Any, int], room: int, now: datetime) -> list[Query]:
    due = Query.objects.filter(IS_DUE, due_at__lte=now, account__is_enabled=True)
    picked: list[Query] = []
    for account_id in due.order_by().values_list("account_id", flat=True).distinct():
        share = min(MOST_AT_ONCE - busy.get(account_id, 0), room - len(picked))
        if share > 0:
            own = due.filter(account=account_id).order_by("due_at", "pk")
            picked += own.select_for_update(of=("self",), skip_locked=True, no_key=True)[:share]
    return picked


def _call(asked: Asked) -> Heard:
    provider, keys = asked.account.provider, asked.account.keys
    assert provider.ask is not None
    try:
        answer = converse(provider.ask(asked.question, keys), now=asked.question.at)
        return Heard(answer, provider.read(answer, keys))
    except CannotAnswer as problem:
        if problem.trouble is Trouble.KEY_REFUSED:
            _kept_answers.clear()  # A token may have been withdrawn.
        return Heard(trouble=problem.trouble, detail=problem.detail)
    except outward.CallFailed as problem:
        return Heard(trouble=Trouble.UNREACHABLE, detail=outward.in_words(problem.trouble))
    except MalformedPayload as problem:
        return Heard(trouble=Trouble.UNREADABLE, detail=str(problem))


def _record(ended: Sequence[tuple[Asked, Heard]], now: datetime) -> None:
    for asked, heard in ended:
        held = Query.objects.select_for_update(no_key=True).filter(pk=asked.query_id)
        query = held.first()
        # None: another process, after our lease was over, has found it unknown.
        if query is None:
            continue
        _note(query, heard, now)
        if query.hints > asked.hints and query.pk is not None:  # None: it was dropped.
            ask_once_more(query, now=now)


def _note(query: Query, heard: Heard, now: datetime) -> None:
    if heard.answer is None or heard.reading is None:
        _postpone(query, heard.trouble or Trouble.UNREADABLE, heard.detail, now)
    elif isinstance(heard.reading, NotYet):
        _postpone(query, Trouble.NOT_FINAL, heard.reading.reason, now)
    elif isinstance(heard.reading, Unknown) and not query.is_wanted:
        _drop(query, now)
    elif isinstance(heard.reading, Ignored):
        _settle(query, f"ignored:{heard.reading.reason}")
    else:
        _settle(query, "answered", callback=_keep(query, heard.answer, now))


def _postpone(query: Query, trouble: Trouble, detail: str, now: datetime) -> None:
    """Ask again after a pause; after the last one, staff decide."""
    rows = Query.objects.filter(pk=query.pk)
    if query.attempts > len(PAUSES):
        rows.update(due_at=now, waiting_for=f"platform:{trouble}", error=detail)
    else:
        pause = PAUSES[max(query.attempts, 1) - 1]
        rows.update(due_at=now + pause, outcome=f"trouble:{trouble}", error=detail)
    if trouble in (Trouble.UNREACHABLE, Trouble.BUSY):
        others = Query.objects.filter(IS_DUE, account_id=query.account_id, due_at__lte=now + _REST)
        others.exclude(pk=query.pk).update(due_at=now + _REST)


def _drop(query: Query, now: datetime) -> None:
    """Nobody knows this payment: a forged or mistaken hint, kept among the refused posts."""
    told = Inbound("HINT", "", {}, query.reference.encode())
    refuse(query.account_id, told, Rejected(Reason.UNKNOWN_PAYMENT, query.reference), now=now)
    query.delete()


def _keep(query: Query, answer: Inbound, now: datetime) -> Callback:
    """The answer as a callback; the same answer once, however often it is given."""
    digest = hashlib.sha256(answer.body).hexdigest()[:32]
    verified = Verified(f"answer:{query.reference}:{digest}")
    store(known_accounts([query.account_id])[query.account_id], answer, verified, now=now)
    return Callback.objects.get(account_id=query.account_id, delivery_key=verified.delivery_key)


def _settle(query: Query, outcome: str, callback: Callback | None = None) -> None:
    Query.objects.filter(pk=query.pk).update(
        due_at=None,
        attempts=0,
        waiting_for="",
        error="",
        outcome=outcome[:60],
        callback=callback or query.callback_id,
    )


_BOARD: Final = Switchboard(Exchange(name="query", claim=_claim, call=_call, record=_record))
