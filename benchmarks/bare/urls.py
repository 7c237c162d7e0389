import hashlib

from django.http import HttpResponse
from django.urls import include, path
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.views import APIView

from benchmarks.bare.models import BareCallback


class BareView(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> HttpResponse:
        now = timezone.now()
        body = request._request.body
        BareCallback._default_manager.create(
            account_id=1,
            delivery_key=request.headers["webhook-id"],
            body_hash=hashlib.sha256(body).digest(),
            received_at=now,
            due_at=now,
            body=body,
        )
        return HttpResponse(status=200)


urlpatterns = [path("bare/", BareView.as_view()), path("", include("config.urls"))]
