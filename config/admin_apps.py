from axes.apps import AppConfig as AxesConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class RegularsAdminConfig(AdminConfig):
    """Django's admin with our site in the place of its own."""

    default_site = "config.admin_site.RegularsAdminSite"


class SignInsConfig(AxesConfig):  # type: ignore[misc]
    """The package that counts failed sign-ins, under a name that staff understand."""

    verbose_name = _("Sign-ins")
