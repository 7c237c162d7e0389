"""How much of the sales says what was bought, told wherever something needs to know it."""

from datetime import datetime, timedelta
from typing import Final

from django.core.cache import cache
from django.utils.translation import gettext as _

from payments.models import Transaction
from payments.selectors import share_with_lines

_SPAN: Final = timedelta(days=30)
_CACHED_SECONDS: Final = 600
_LOW_PERCENT: Final = 50


def lines_in_words(*, now: datetime) -> str:
    """A sentence for forms that ask about goods; empty before there are payments."""
    share = _share(now)
    if share is None:
        return ""
    words = (
        _(
            "Only %(percent)d %% of the payments of the last 30 days say what was bought. All "
            "others count as if they contained none of it."
        )
        if share < _LOW_PERCENT
        else _("%(percent)d %% of the payments of the last 30 days say what was bought.")
    )
    return words % {"percent": share}


def _share(now: datetime) -> int | None:
    kept = cache.get("lines:share")
    if kept is None:
        kept = share_with_lines(Transaction.objects.all(), since=now - _SPAN)
        cache.set("lines:share", -1 if kept is None else kept, _CACHED_SECONDS)
    return None if kept in {None, -1} else int(kept)
