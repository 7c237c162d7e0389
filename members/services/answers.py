"""How long the API remembers its first answers."""

from datetime import datetime, timedelta
from typing import Final

from members.models import ApiCall

# Tills repeat within minutes, at worst after a long weekend without a line.
KEPT_FOR: Final = timedelta(days=30)


def forget_answers(*, now: datetime) -> int:
    """Delete answers that nobody will ask for again; how many."""
    return ApiCall.objects.filter(called_at__lt=now - KEPT_FOR).delete()[0]
