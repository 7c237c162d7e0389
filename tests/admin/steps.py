"""What a member of staff does with a page: press an action, fill in a dialog, read the answer."""

from typing import Any

from django.test import Client
from django.urls import reverse

from tests.admin.test_pages import url_of

SUBMITTED = {"_form_submitted": "1"}


def said(response: Any) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def act(client: Client, model: Any, row: Any, name: str, **given: str) -> Any:
    """Post a dialog of a row's page; htmx is told where to go next."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_{name}", args=[row.pk])
    response = client.post(url, {**SUBMITTED, **given})
    if "HX-Redirect" in response:
        return client.get(response["HX-Redirect"])
    return response


def select(client: Client, model: Any, rows: list[Any], name: str, **given: str) -> Any:
    chosen = {"action": name, "_selected_action": [str(row.pk) for row in rows], **given}
    return client.post(url_of(model, "changelist"), chosen, follow=True)
