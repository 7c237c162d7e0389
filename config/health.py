"""Whether this process can serve: the database answers, and how old the oldest due work is."""

from django.db import DatabaseError
from django.db.models import Min
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from campaigns.models import Message
from kit.work import IS_DUE
from members.models import Event
from payments.models import Callback, Transaction


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the database answers; `lag_seconds` is what a monitor should watch."""
    try:
        now = timezone.now()
        due = [
            model._default_manager.filter(IS_DUE).aggregate(oldest=Min("due_at"))["oldest"]
            for model in (Callback, Transaction, Event, Message)
        ]
    except DatabaseError:
        return JsonResponse({"status": "database unavailable"}, status=503)
    lag = max(((now - oldest).total_seconds() for oldest in due if oldest), default=0.0)
    return JsonResponse({"status": "ok", "lag_seconds": round(max(lag, 0.0), 3)})
