"""What a production start must be told, and whom it believes."""

from typing import Any

import pytest
from django.test import RequestFactory

from config.deployment import check_production_settings
from kit.visitors import client_address


def test_a_start_without_mail_and_name_is_warned(settings: Any) -> None:
    settings.EMAIL_URL = ""
    settings.PUBLIC_URL = "http://localhost:8000"
    settings.DEFAULT_FROM_EMAIL = "Regulars <no-reply@example.com>"

    assert [each.id for each in check_production_settings()] == [
        "config.W001",
        "config.W002",
        "config.W003",
    ]


def test_a_start_with_all_of_them_is_not(settings: Any) -> None:
    settings.EMAIL_URL = "smtp://mail.tea.example"
    settings.PUBLIC_URL = "https://tea.example"
    settings.DEFAULT_FROM_EMAIL = "offers@tea.example"

    assert check_production_settings() == []


@pytest.mark.parametrize(
    ("is_production", "address"), [(True, "203.0.113.9"), (False, "127.0.0.1")]
)
def test_only_the_proxy_says_who_is_there(
    settings: Any, is_production: bool, address: str
) -> None:
    settings.IS_PRODUCTION = is_production
    request = RequestFactory().get("/", headers={"x-forwarded-for": "10.0.0.1, 203.0.113.9"})

    assert client_address(request) == address
