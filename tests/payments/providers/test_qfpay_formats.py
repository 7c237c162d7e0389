"""QFPay's other signature, and notices that write numbers without quotes."""

import json
from dataclasses import replace

from payments.providers.base import Inbound, Reason
from tests.payments.providers.example import Correction, Sale
from tests.payments.providers.test_qfpay import EXAMPLE, notice, post, reason_of, sign


def by_sha256(body: bytes) -> Inbound:
    return post(body, sign(body, algorithm="sha256"), **{"x-qf-signtype": "SHA256"})


def without_quotes(request: Inbound) -> Inbound:
    """Whole numbers where other notices write text."""
    told = json.loads(request.body)
    for name in ("txamt", "status", "cancel", "pay_type"):
        if name in told:
            told[name] = int(told[name])
    return by_sha256(json.dumps(told).encode())


def refund(told: Correction) -> Inbound:
    assert EXAMPLE.refund is not None
    return without_quotes(EXAMPLE.refund(told))


def payment(sale: Sale) -> Inbound:
    return without_quotes(EXAMPLE.payment(sale))


ALSO = (
    replace(
        EXAMPLE,
        variant="sha256",
        payment=payment,
        refund=refund,
        signed_headers=("x-qf-sign", "x-qf-signtype"),
        later=(),
        resign=lambda request, _at: by_sha256(request.body),
    ),
)


def test_sha256_counts_where_the_header_says_so() -> None:
    body = notice("payment").body
    header = sign(body, algorithm="sha256")

    assert reason_of(post(body, header, **{"x-qf-signtype": "SHA256"})) is None
    assert reason_of(post(body, sign(body), **{"x-qf-signtype": "MD5"})) is None
    assert reason_of(post(body, header)) == Reason.BAD_SIGNATURE
    assert reason_of(post(body, sign(body), **{"x-qf-signtype": "SHA256"})) == Reason.BAD_SIGNATURE
    assert reason_of(post(body, header, **{"x-qf-signtype": "CRC32"})) == Reason.WEAK_SIGNATURE
