from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from members.identity_kinds import name_kind
from payments.providers import all_providers


class PaymentsConfig(AppConfig):
    name = "payments"
    verbose_name = _("Money in")

    def ready(self) -> None:
        for provider in all_providers().values():
            for kind, label in provider.clue_kinds.items():
                name_kind(kind, label)
