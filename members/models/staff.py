"""What a member of staff may see."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from members.models.programme import Region, Store


class StaffScope(models.Model):
    """What a member of staff may see: whole regions, single stores, or everything."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="scope", verbose_name=_("user")
    )
    sees_everything = models.BooleanField(_("sees every store"), default=False)
    regions = models.ManyToManyField(Region, blank=True, verbose_name=_("regions"))
    stores = models.ManyToManyField(Store, blank=True, verbose_name=_("stores"))

    class Meta:
        verbose_name = _("scope of staff")
        verbose_name_plural = _("scopes of staff")

    def __str__(self) -> str:
        return str(self.user)
