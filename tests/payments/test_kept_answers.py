"""An access token is asked for once, and serves nobody but the account that it was given to."""

from base64 import b64encode
from collections.abc import Generator
from datetime import timedelta

import pytest

from payments.providers.base import Answer, Inbound, Outgoing
from payments.services import queries
from payments.services.queries import converse
from tests.build import NOON


class Platform:
    """Gives each who asks a token of their own, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def answer(self, outgoing: Outgoing) -> Answer:
        self.asked += 1
        return Answer(200, outgoing.headers["Authorization"].encode() + b":%d" % self.asked)


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    played = Platform()
    monkeypatch.setattr(queries, "_sent", played.answer)
    monkeypatch.setattr(queries, "_kept_answers", {})
    return played


def headers_of(account: str) -> dict[str, str]:
    password = b64encode(f"{account}:only-for-tests".encode()).decode()
    return {"Accept": "application/json", "Authorization": f"Basic {password}"}


def token_for(headers: dict[str, str], *, minutes: int = 0) -> str:
    """As a provider asks that signs in by Basic auth: only a header says for whom."""

    def ask() -> Generator[Outgoing, Answer, Inbound]:
        url, body = "https://pay.example/token", b"grant_type=client_credentials"
        answer = yield Outgoing("POST", url, headers, body, kept_for=timedelta(minutes=50))
        return Inbound("ANSWER", url, {}, answer.body)

    return converse(ask(), now=NOON + timedelta(minutes=minutes)).body.decode()


def test_two_accounts_whose_requests_differ_by_a_header_have_tokens_of_their_own(
    platform: Platform,
) -> None:
    peak, central = headers_of("peak"), headers_of("central")

    found = [token_for(headers) for headers in (peak, central, peak, central)]

    assert found[:2] == [f"{peak['Authorization']}:1", f"{central['Authorization']}:2"]
    assert found[2:] == found[:2]
    assert platform.asked == 2


def test_an_account_is_given_its_token_again_until_it_is_over(platform: Platform) -> None:
    headers = headers_of("peak")
    backwards = dict(reversed(headers.items()))

    first = token_for(headers)

    assert token_for(backwards, minutes=49) == first
    assert platform.asked == 1
    assert token_for(headers, minutes=50) == f"{headers['Authorization']}:2"
