"""Names that staff give to things, in each language of the house."""

from django.db import models
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _


class Named(models.Model):
    """A name in English or the house's own language, and its Chinese forms where they differ."""

    name = models.CharField(_("name"), max_length=120)
    name_zh_hant = models.CharField(_("name in 繁體中文"), max_length=120, blank=True)
    name_zh_hans = models.CharField(_("name in 简体中文"), max_length=120, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name_in(get_language() or "en")

    def name_in(self, language: str) -> str:
        column = {"zh-hant": self.name_zh_hant, "zh-hans": self.name_zh_hans}
        return column.get(language.lower(), "") or self.name
