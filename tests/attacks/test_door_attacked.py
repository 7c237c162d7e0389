"""Posts that a real HTTP server lets through, though no client of ours would send them."""

import io
import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from payments.models import Callback, Rejection
from payments.providers.standard import sign
from payments.services.receive import LARGEST_BODY
from tests import build

pytestmark = pytest.mark.django_db


def post_in_chunks(body: bytes, *, signed: bytes | None = None) -> Any:
    """As granian hands over a body without a length: it ends where the chunks end."""
    account = build.account()
    headers = sign(
        body if signed is None else signed,
        secret=build.SECRET,
        message_id=str(uuid4()),
        at=timezone.now(),
    )
    environ: dict[str, Any] = {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True}
    path = f"/callbacks/standard/{account.token}/"
    return Client().generic("POST", path, headers=headers, **environ)


def test_a_body_in_chunks_is_read_whole() -> None:
    body = json.dumps(build.payment(wallet="w")).encode()

    answer = post_in_chunks(body)

    assert answer.status_code == 200
    assert Callback.objects.count() == 1


def test_a_forged_body_in_chunks_is_refused() -> None:
    answer = post_in_chunks(b'{"type": "payment.succeeded"}', signed=b"")

    assert answer.status_code == 400
    assert Callback.objects.count() == 0
    assert Rejection.objects.get().reason == "bad_signature"


def test_a_body_in_chunks_without_end_is_not_read_to_its_end() -> None:
    answer = post_in_chunks(b" " * (LARGEST_BODY * 2))

    assert answer.status_code == 413
    assert Callback.objects.count() == 0


def test_an_address_with_a_zero_byte_is_unknown() -> None:
    answer = Client().post("/callbacks/standard/%00abc/", data=b"{}", content_type="text/plain")

    assert answer.status_code == 404
