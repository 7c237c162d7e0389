from importlib import import_module

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        import_module("config.celery")  # Tasks that are sent from any process find our broker.
        import_module("config.deployment")  # Its checks register themselves.
