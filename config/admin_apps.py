from django.contrib.admin.apps import AdminConfig


class RegularsAdminConfig(AdminConfig):
    """Django's admin with our site in the place of its own."""

    default_site = "config.admin_site.RegularsAdminSite"
