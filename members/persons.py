"""Persons: a member, with whatever other members were merged into it.

Facts keep their member, so that a merge can be undone. What a person holds as a whole (points,
tier, what they agreed to) is asked of the member who stands for all of them.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from django.db.models import Q, QuerySet

from kit.bulk import fetch_all
from members.models import Member

_PERSONS: Final = """
SELECT id, coalesce(merged_into_id, id) FROM members_member WHERE id = ANY(%s::uuid[])
"""
_ROWS: Final = """SELECT person.id, stood_for.id
FROM (
    SELECT DISTINCT coalesce(merged_into_id, id) AS id
    FROM members_member WHERE id = ANY(%s::uuid[])
) AS person
CROSS JOIN LATERAL (
    SELECT person.id UNION ALL SELECT id FROM members_member WHERE merged_into_id = person.id
) AS stood_for (id)
"""
_BRANCH: Final = """
WITH RECURSIVE branch (id) AS (
    SELECT %s::uuid
    UNION
    SELECT below.merged_id FROM members_merge AS below
    JOIN branch ON branch.id = below.survivor_id
    WHERE below.undone_at IS NULL
)
SELECT id FROM branch
"""


def person_of(member: Member) -> Member:
    """The member who stands for `member`: mostly the same one."""
    return member.merged_into or member


def persons_of(member_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """For each member whoever stands for them, in one query."""
    return dict(fetch_all(_PERSONS, [list(member_ids)]))


def rows_of(member_ids: Iterable[UUID]) -> dict[UUID, list[UUID]]:
    """Whoever stands for some of the members, with everybody for whom they stand, in one query."""
    found: defaultdict[UUID, list[UUID]] = defaultdict(list)
    for person, row in fetch_all(_ROWS, [list(member_ids)]):
        found[person].append(row)
    return found


def own_rows(member: Member) -> QuerySet[Member, Any]:
    """The rows whose facts are this member's, for `member__in=`: of a survivor everybody's, of
    one who was merged only the own."""
    return Member.objects.filter(Q(pk=member.pk) | Q(merged_into=member.pk)).values("pk")


def branch_of(member_id: UUID) -> list[UUID]:
    """The member with those who were merged into it, and into them: who leaves if it leaves."""
    return [row for (row,) in fetch_all(_BRANCH, [member_id])]
