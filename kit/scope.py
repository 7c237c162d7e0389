"""Which rows a member of staff may see: everything, whole regions, or single stores.

`kit` knows no store model, so the app that owns the scopes names itself with `tell_scopes_by`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce, wraps
from operator import or_
from typing import Any, Final

from django.db.models import Q
from django.http import Http404, HttpRequest

NOTHING: Final = Q(pk__in=[])


@dataclass(frozen=True, slots=True)
class Scope:
    """`stores` holds every store that may be seen, those of whole `regions` included."""

    sees_everything: bool = False
    regions: frozenset[int] = frozenset()
    stores: frozenset[int] = frozenset()


_source: list[Callable[[Any], Scope]] = []


def tell_scopes_by(source: Callable[[Any], Scope]) -> None:
    _source[:] = [source]


def scope_of(user: Any) -> Scope:
    """The scope of `user`, asked once per request: it is kept on the request's user object."""
    kept: Scope | None = getattr(user, "_scope_of_staff", None)
    if kept is None:
        kept = Scope(sees_everything=True) if user.is_superuser else _source[0](user)
        user._scope_of_staff = kept
    return kept


@dataclass(frozen=True, slots=True)
class Scoping:
    """How a list is narrowed: paths to stores and to regions; one that fits is enough.

    Without any, `is_open` decides: open to whoever has the permission, or only to those who see
    every store.
    """

    store: str | tuple[str, ...] = ()
    region: str | tuple[str, ...] = ()
    is_open: bool = False

    @property
    def is_headquarters(self) -> bool:
        return not (self.store or self.region or self.is_open)

    def rows(self, scope: Scope) -> Q:
        if scope.sees_everything or self.is_open:
            return Q()
        ways = [Q(**{f"{path}__in": scope.stores}) for path in _paths(self.store) if scope.stores]
        ways += [
            Q(**{f"{path}__in": scope.regions}) for path in _paths(self.region) if scope.regions
        ]
        return reduce(or_, ways) if ways else NOTHING


def _paths(named: str | tuple[str, ...]) -> tuple[str, ...]:
    return (named,) if isinstance(named, str) else named


EVERYBODY: Final = Scoping(is_open=True)
HEADQUARTERS: Final = Scoping()


def of_known_row(act: Callable[..., Any]) -> Callable[..., Any]:
    """An action of the admin that finds the row it is pressed for: 404 where the address names
    none, or one outside the scope of who asks."""

    @wraps(act)
    def guarded(desk: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        key = kwargs.get("object_id")
        if key is not None and desk.get_object(request, str(key)) is None:
            raise Http404
        return act(desk, request, *args, **kwargs)

    return guarded
