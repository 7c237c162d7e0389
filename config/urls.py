from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config.health import healthz
from config.member_page import member_page, unsubscribe
from payments.views import CallbackView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("healthz", healthz, name="healthz"),
    path("callbacks/<str:provider>/<str:token>/", CallbackView.as_view(), name="callback"),
    path("api/", include("config.api_urls")),
    path("m/<str:token>", member_page, name="member-page"),
    path("u/<str:token>", unsubscribe, name="unsubscribe"),
]
