"""Attacks on the callback's door, each by name, through the whole view and on to the books."""

import gzip
import io
import json
import os
import re
from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from django.test import Client

from kit.wording import said_in_words
from payments import views
from payments.models import Account, Callback, Rejection, Transaction
from payments.providers import all_providers
from payments.providers.base import Inbound, Keys
from payments.services.receive import LARGEST_BODY
from payments.services.translate import translate_callbacks
from tests import build
from tests.payments.providers import test_alipay as alipay
from tests.payments.providers.example import SHOP, Example, all_formats, url_of
from tests.payments.providers.mutation import NOON, genuine_posts, mutants, vouched_for

pytestmark = pytest.mark.django_db

MUTATIONS = int(os.environ.get("HTTP_MUTATIONS", "300"))
SIGNED = {name: row for name, row in all_formats().items() if row.answer is None}
JSON_SIGNED = {
    name: row for name, row in SIGNED.items() if genuine_posts(row)[0].body.startswith(b"{")
}
# The number is inside what is encrypted; tests of their own change it there.
OPEN = {n: row for n, row in SIGNED.items() if row.code not in ("newebpay", "wechatpay")}
FORMS = {name: row for name, row in SIGNED.items() if name not in JSON_SIGNED}


def each(examples: dict[str, Example]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "example", [pytest.param(example, id=name) for name, example in examples.items()]
    )


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """It is noon, when all examples are signed, and the shop has the address that they know."""
    monkeypatch.setattr(views, "timezone", SimpleNamespace(now=lambda: NOON))
    settings.PUBLIC_URL = SHOP


def account(example: Example, keys: Keys | None = None, *, token: str = "") -> Account:
    own = keys or example.keys
    return build.account(
        example.code,
        secrets=own.secrets,
        settings=dict(own.settings),
        token=token or example.token,
    )


def send(post: Inbound, *, to: Account, **extra: Any) -> Any:
    """As the platform sends it, whatever its example calls the address."""
    headers = {
        f"HTTP_{name.upper().replace('-', '_')}": value
        for name, value in post.headers.items()
        if name != "host"
    }
    return Client().generic(
        post.method,
        f"/callbacks/{to.provider}/{to.token}/",
        post.body,
        content_type=post.headers.get("content-type", "application/json"),
        **{**headers, **extra},
    )


def translate() -> None:
    translate_callbacks(now=NOON, limit=10_000)


def is_refused(response: Any) -> bool:
    return 400 <= response.status_code < 500 and not Callback.objects.exists()


def resigned(example: Example, post: Inbound) -> Inbound:
    assert example.resign is not None
    return example.resign(replace(post, url=url_of(example.code, example.variant)), NOON)


@each(SIGNED)
def test_a_genuine_post_comes_through_to_the_books(example: Example) -> None:
    response = send(genuine_posts(example)[0], to=account(example))
    translate()

    assert response.status_code == 200
    assert [(row.kind, row.amount) for row in Transaction.objects.all()] == [
        ("payment", Decimal(100))
    ]


@each(SIGNED)
def test_a_valid_signature_of_another_account_is_refused(example: Example) -> None:
    assert example.other_keys is not None
    account(example)
    other = account(example, example.other_keys, token="the-other-account")

    for post in genuine_posts(example):
        assert is_refused(send(post, to=other))


def test_a_forged_second_item_of_adyen_spoils_the_post() -> None:
    example = SIGNED["adyen"]
    genuine, forged = (json.loads(genuine_posts(example)[0].body) for _ in range(2))
    forged["notificationItems"][0]["NotificationRequestItem"]["pspReference"] = "FORGED"
    genuine["notificationItems"] += forged["notificationItems"]
    post = replace(genuine_posts(example)[0], body=json.dumps(genuine).encode())

    assert is_refused(send(post, to=account(example)))
    assert Rejection.objects.get().reason == "bad_signature"


def test_a_simulated_payment_of_ecpay_is_answered_and_never_booked() -> None:
    example = SIGNED["ecpay"]
    fields = dict(parse_qsl(genuine_posts(example)[0].body.decode(), keep_blank_values=True))
    simulated = urlencode({**fields, "SimulatePaid": "1"}).encode()
    post = resigned(example, replace(genuine_posts(example)[0], body=simulated))

    response = send(post, to=account(example))
    translate()

    assert (response.status_code, response.content) == (200, b"1|OK")
    assert Callback.objects.get().outcome == "ignored:simulated"
    assert not Transaction.objects.exists()


def test_alipay_cannot_be_talked_down_to_sha1() -> None:
    fields = alipay.form("trade_success", sign_type="RSA")
    weak = alipay.body_of(fields, algorithm=SHA1())  # noqa: S303 - That is the attack.
    to = account(SIGNED["alipay"])

    assert is_refused(send(alipay.post(weak), to=to))
    assert Rejection.objects.get().reason == "weak_signature"
    hidden = alipay.body_of(alipay.form("trade_success"), algorithm=SHA1())  # noqa: S303
    assert is_refused(send(alipay.post(hidden), to=to))


def test_the_charset_of_alipay_is_part_of_what_it_signed() -> None:
    fields = alipay.form("trade_success", charset="gbk", out_trade_no="订单1001")
    body = alipay.body_of(fields, charset="gbk")
    to = account(SIGNED["alipay"])

    assert is_refused(send(alipay.post(body.replace(b"charset=gbk", b"charset=utf-8")), to=to))
    assert send(alipay.post(body), to=to).status_code == 200
    translate()

    assert Transaction.objects.get().order_ref == "订单1001"


def test_the_probe_of_wechat_pay_is_refused_as_it_wants() -> None:
    example = SIGNED["wechatpay"]
    post = genuine_posts(example)[0]
    probe = "WECHATPAY/SIGNTEST/" + post.headers["wechatpay-signature"]
    headers = {**post.headers, "wechatpay-signature": probe}

    assert is_refused(send(replace(post, headers=headers), to=account(example)))


@each(JSON_SIGNED)
def test_a_key_that_occurs_twice_in_signed_json_books_nothing(example: Example) -> None:
    """Refused, or kept for staff where the signature is read before the body."""
    post = genuine_posts(example)[0]
    doubled = re.sub(rb'^\{\s*("[^"]+")', rb'{\1: "first of two", \1', post.body, count=1)

    response = send(resigned_as_is(example, post, doubled), to=account(example))
    translate()

    assert response.status_code in (200, 400, 401)
    assert not Transaction.objects.exists()
    assert not Callback.objects.exclude(waiting_for="repair").exists()


def resigned_as_is(example: Example, post: Inbound, body: bytes) -> Inbound:
    """The body as it is, signed if the platform could have signed such a thing."""
    changed = replace(post, body=body)
    try:
        return replace(resigned(example, changed), body=body)
    except ValueError:
        return changed


@each(FORMS)
def test_a_field_that_occurs_twice_is_refused(example: Example) -> None:
    post, to = genuine_posts(example)[0], account(example)

    for field in post.body.split(b"&"):
        assert is_refused(send(replace(post, body=post.body + b"&" + field), to=to))


@each(SIGNED)
def test_a_packed_body_is_refused_and_never_unpacked(example: Example) -> None:
    post = genuine_posts(example)[0]
    packed = gzip.compress(post.body + b" " * 5_000_000, mtime=0)
    headers = {**post.headers, "content-encoding": "gzip"}

    assert is_refused(send(replace(post, headers=headers, body=packed), to=account(example)))


class Endless(io.RawIOBase):
    """A body in chunks that never ends; it counts what was read of it."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "It would have been read without end."
        self.given += size
        return b"x" * size


@each(SIGNED)
def test_a_body_in_chunks_is_read_like_any_other(example: Example) -> None:
    post = genuine_posts(example)[0]
    chunks = {"wsgi.input": io.BytesIO(post.body), "wsgi.input_terminated": True}

    response = send(replace(post, body=b""), to=account(example), CONTENT_LENGTH="", **chunks)
    translate()

    assert response.status_code == 200
    assert Transaction.objects.count() == 1


def test_a_body_in_chunks_without_end_is_cut_off() -> None:
    endless = Endless()
    chunks = {"wsgi.input": endless, "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}

    response = send(Inbound("POST", "/", {}, b""), to=account(SIGNED["standard"]), **chunks)

    assert response.status_code == 413
    assert endless.given == LARGEST_BODY + 1


@pytest.mark.parametrize("length", ["10485760", "9" * 5000, "-1", "ten", "１０", "1e9"])
def test_a_length_that_is_too_large_or_none_is_refused_unread(length: str) -> None:
    to = account(SIGNED["standard"])
    endless = {"wsgi.input": Endless(), "CONTENT_LENGTH": length}

    response = send(Inbound("POST", "/", {}, b""), to=to, **endless)

    assert response.status_code in (400, 413)
    assert not Callback.objects.exists()


@each(SIGNED)
def test_ten_megabytes_are_refused_whoever_signed_them(example: Example) -> None:
    post = genuine_posts(example)[0]
    huge = post.body + b" " * 10 * 1024 * 1024

    response = send(replace(post, body=huge), to=account(example))

    assert response.status_code == 413
    assert not Callback.objects.exists()
    assert Rejection.objects.get().reason == "too_large"


@each(OPEN)
@pytest.mark.parametrize(
    "amount", ["NaN", "Infinity", "-Infinity", "1,000.00", "-100", "0", "１００", "9" * 40]
)
def test_an_amount_that_is_none_is_never_booked(example: Example, amount: str) -> None:
    """Signed by the platform itself, so the post may be kept; staff then see why it waits."""
    post = genuine_posts(example)[0]
    body = with_amount(post.body, amount)
    assert body != post.body

    response = send(resigned_as_is(example, post, body), to=account(example))
    translate()

    assert response.status_code in (200, 400)
    assert not Transaction.objects.exists()


AMOUNT = re.compile(rb'"?\b(?:100(?:\.0+)?|10000)\b"?')


def with_amount(body: bytes, amount: str) -> bytes:
    """Each hundred, in whichever unit, written as `amount`; with or without quotes as it was."""
    text = amount.encode()
    if not body.startswith(b"{"):
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True)
        hundreds = ("100", "100.00", "10000")
        return urlencode([(n, amount if v in hundreds else v) for n, v in pairs]).encode()
    return AMOUNT.sub(lambda found: b'"%b"' % text if found[0].startswith(b'"') else text, body)


def test_a_header_with_half_a_character_is_refused_and_kept() -> None:
    example = all_formats()["paypal"]
    genuine = genuine_posts(example)[0]
    address = genuine.headers["paypal-cert-url"]
    headers = {**genuine.headers, "paypal-cert-url": f"{address}\udc80"}

    forged = replace(genuine, headers=headers, body=genuine.body + b" ")
    response = send(forged, to=account(example))

    assert response.status_code == 400
    detail = said_in_words(Rejection.objects.get().detail)
    assert detail == f"It was signed with {address}\N{REPLACEMENT CHARACTER}."


def test_hundreds_of_changed_posts_get_an_answer_and_book_no_forgery() -> None:
    accounts = {name: account(example) for name, example in all_formats().items()}
    vouched = {name: vouched_for(example) for name, example in SIGNED.items()}
    statuses = []

    for mutant in mutants(all_formats(), count=MUTATIONS, seed=2):
        name, kept = mutant.example.name, Callback.objects.count()
        if not all(header.isascii() for header in mutant.post.headers):
            continue
        response = send(mutant.post, to=accounts[name])
        statuses.append(response.status_code)
        is_new = Callback.objects.count() > kept
        if is_new and name in SIGNED and not mutant.is_resigned:
            assert mutant.example.what_is_vouched_for(mutant.post) in vouched[name], mutant
    translate()

    assert set(statuses) <= {200, 204, 400, 401, 405, 413, 429}
    assert not Callback.objects.filter(due_at__lte=NOON, waiting_for="").exists()
    assert Rejection.objects.count() <= Rejection.RING * len(accounts)
    assert not Transaction.objects.filter(amount__lte=0).exists()
    assert set(all_providers()) == {row.provider for row in accounts.values()}
