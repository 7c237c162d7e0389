from django.contrib import admin
from django.urls import include, path

from config.member_page import member_page, unsubscribe

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("config.api_urls")),
    path("m/<str:token>", member_page, name="member-page"),
    path("u/<str:token>", unsubscribe, name="unsubscribe"),
]
