from importlib import import_module

from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        import_module("config.celery")  # So that `.delay()` finds our broker in every process.
