"""What `manage.py check --deploy` asks of a production start, besides what Django asks."""

from typing import Any

from django.conf import settings
from django.core import checks


@checks.register(checks.Tags.security, deploy=True)
def check_production_settings(**_: Any) -> list[checks.CheckMessage]:
    """Settings that a shop has to give, because what stands in for them only fits a trial."""
    wanted = {
        "EMAIL_URL": bool(settings.EMAIL_URL),
        "PUBLIC_URL": settings.PUBLIC_URL.startswith("https://"),
        "DEFAULT_FROM_EMAIL": "example.com" not in settings.DEFAULT_FROM_EMAIL,
    }
    return [
        checks.Warning(
            f"{name} is not set for production.", hint=_HINTS[name], id=f"config.W{number:03}"
        )
        for number, (name, is_given) in enumerate(wanted.items(), start=1)
        if not is_given
    ]


_HINTS = {
    "EMAIL_URL": "Without it messages become files that nobody gets, and count as sent.",
    "PUBLIC_URL": "Links in messages and callback URLs begin with it: https and your own name.",
    "DEFAULT_FROM_EMAIL": "Messages are sent in its name, so it has to be an address of yours.",
}
