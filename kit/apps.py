from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class KitConfig(AppConfig):
    name = "kit"

    def ready(self) -> None:
        autodiscover_modules("conditions", "panels")
