"""Proof of the books: every balance and projection worked out anew from the facts, and compared.

Each check is one SQL statement that returns the rows which disagree; an empty answer is the proof.
"""

from dataclasses import dataclass
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from members.models import Programme


@dataclass(frozen=True, slots=True)
class Check:
    """`counted` tells how much was looked at, `differences` which rows disagree."""

    name: Any
    counted: str
    differences: str


@dataclass(frozen=True, slots=True)
class Finding:
    check: Check
    counted: int
    differences: list[tuple[Any, ...]]

    @property
    def is_clean(self) -> bool:
        return not self.differences


_SHOWN: Final = 20

CHECKS: Final = (
    Check(
        _("Each balance is what came to the member less what went"),
        "SELECT count(*) FROM loyalty_standing",
        """
        SELECT standing.member_id, standing.balance, coalesce(moved.points, 0)
        FROM loyalty_standing AS standing
        LEFT JOIN (
            SELECT account, sum(points) AS points FROM (
                SELECT credit_id AS account, points FROM loyalty_transfer
                UNION ALL SELECT debit_id, -points FROM loyalty_transfer
            ) AS side GROUP BY account
        ) AS moved ON moved.account = standing.member_id
        WHERE standing.balance <> coalesce(moved.points, 0)
        """,
    ),
    Check(
        _("What is left in lots, less debts, is the balance"),
        "SELECT count(*) FROM loyalty_lot",
        """
        WITH used AS (
            SELECT lot_id, sum(points) AS points FROM loyalty_lotuse GROUP BY lot_id
        ), kept AS (
            SELECT lot.account_id, coalesce(lot.owner_id, lot.account_id) AS owner,
                sum(lot.points - coalesce(used.points, 0)) AS points
            FROM loyalty_lot AS lot LEFT JOIN used ON used.lot_id = lot.id
            GROUP BY 1, 2
        ), covered AS (
            SELECT transfer_id, sum(points) AS points FROM loyalty_lotuse GROUP BY transfer_id
        ), owed AS (
            SELECT debit_id, coalesce(transfer.owner_id, debit_id) AS owner,
                sum(transfer.points - coalesce(covered.points, 0)) AS points
            FROM loyalty_transfer AS transfer
            JOIN loyalty_pointaccount AS account
              ON account.id = transfer.debit_id AND account.kind = 'member'
            LEFT JOIN covered ON covered.transfer_id = transfer.id
            GROUP BY 1, 2
        ), side AS (
            SELECT coalesce(kept.account_id, owed.debit_id) AS account,
                coalesce(kept.points, 0) AS kept, coalesce(owed.points, 0) AS owed
            FROM kept FULL JOIN owed
              ON owed.debit_id = kept.account_id AND owed.owner = kept.owner
        )
        SELECT standing.member_id, standing.balance, sum(side.kept), sum(side.owed)
        FROM loyalty_standing AS standing
        LEFT JOIN side ON side.account = standing.member_id
        GROUP BY standing.member_id
        HAVING standing.balance <> coalesce(sum(side.kept - side.owed), 0)
            OR count(*) FILTER (WHERE side.kept > 0 AND side.owed > 0) > 0
        """,
    ),
    Check(
        _("No lot gives more than it held, and it is closed when it is used up"),
        "SELECT count(*) FROM loyalty_lotuse",
        """
        SELECT lot.id, lot.points, coalesce(sum(used.points), 0), lot.closed_at
        FROM loyalty_lot AS lot LEFT JOIN loyalty_lotuse AS used ON used.lot_id = lot.id
        GROUP BY lot.id
        HAVING coalesce(sum(used.points), 0) > lot.points
            OR (coalesce(sum(used.points), 0) = lot.points) <> (lot.closed_at IS NOT NULL)
        """,
    ),
    Check(
        _("Each debit names the lots that paid it, or is a debt"),
        "SELECT count(*) FROM loyalty_transfer",
        """
        SELECT transfer.id, transfer.points, coalesce(sum(used.points), 0)
        FROM loyalty_transfer AS transfer
        JOIN loyalty_pointaccount AS account
          ON account.id = transfer.debit_id AND account.kind = 'member'
        LEFT JOIN loyalty_lotuse AS used ON used.transfer_id = transfer.id
        GROUP BY transfer.id
        HAVING coalesce(sum(used.points), 0) > transfer.points
            OR (coalesce(sum(used.points), 0) = transfer.points)
               <> (transfer.covered_at IS NOT NULL)
        """,
    ),
    Check(
        _("Each transfer to a member opened one lot of as many points"),
        "SELECT count(*) FROM loyalty_transfer",
        """
        SELECT transfer.id, transfer.points, lot.points
        FROM loyalty_transfer AS transfer
        JOIN loyalty_pointaccount AS account
          ON account.id = transfer.credit_id AND account.kind = 'member'
        LEFT JOIN loyalty_lot AS lot ON lot.transfer_id = transfer.id
        WHERE lot.points IS DISTINCT FROM transfer.points
           OR lot.account_id <> transfer.credit_id
        """,
    ),
    Check(
        _("Each award moved the points that it says"),
        "SELECT count(*) FROM loyalty_award",
        """
        SELECT award.id, award.points, coalesce(moved.points, 0)
        FROM loyalty_award AS award
        LEFT JOIN (
            SELECT award_id,
                sum(CASE WHEN credit_id = account.id THEN points ELSE -points END) AS points
            FROM loyalty_transfer AS transfer
            JOIN loyalty_pointaccount AS account
              ON account.id IN (transfer.credit_id, transfer.debit_id) AND account.kind = 'member'
            WHERE award_id IS NOT NULL GROUP BY award_id
        ) AS moved ON moved.award_id = award.id
        WHERE award.points <> coalesce(moved.points, 0)
        """,
    ),
    Check(
        _("Each settled transaction of a member has one award, and no other has one"),
        "SELECT count(*) FROM payments_transaction",
        """
        SELECT deal.id, deal.due_at, award.id
        FROM payments_transaction AS deal
        LEFT JOIN loyalty_award AS award ON award.transaction_id = deal.id
        WHERE (deal.due_at IS NULL) <> (award.id IS NOT NULL)
           OR award.member_id IS DISTINCT FROM
              CASE WHEN award.id IS NULL THEN award.member_id ELSE deal.member_id END
        """,
    ),
    Check(
        _("No payment is taken back by more than it was"),
        "SELECT count(*) FROM loyalty_award WHERE points < 0",
        """
        SELECT payment.id, sum(award.points), sum(award.spend)
        FROM loyalty_award AS award
        JOIN payments_transaction AS deal ON deal.id = award.transaction_id
        JOIN payments_transaction AS payment ON payment.id = coalesce(deal.original_id, deal.id)
        GROUP BY payment.id
        HAVING sum(award.points) < 0 OR sum(award.spend) < 0
        """,
    ),
    Check(
        _("The 12-month spend is the sum of its awards"),
        "SELECT count(*) FROM loyalty_standing",
        """
        SELECT standing.member_id, standing.spend_12m, coalesce(sum(award.spend), 0)
        FROM loyalty_standing AS standing
        LEFT JOIN (
            loyalty_award AS award
            JOIN members_member AS member ON member.id = award.member_id
        ) ON coalesce(member.merged_into_id, member.id) = standing.member_id
         AND award.paid_at > (standing.reckoned_at AT TIME ZONE %(zone)s - interval '1 year')
             AT TIME ZONE %(zone)s
        GROUP BY standing.member_id
        HAVING standing.spend_12m <> coalesce(sum(award.spend), 0)
        """,
    ),
    Check(
        _("The number of payments and their first and last days are those of the awards"),
        "SELECT count(*) FROM loyalty_standing",
        """
        SELECT standing.member_id, standing.payments, count(award.id)
        FROM loyalty_standing AS standing
        LEFT JOIN (
            loyalty_award AS award
            JOIN payments_transaction AS deal
              ON deal.id = award.transaction_id AND deal.kind = 'payment'
            JOIN members_member AS member ON member.id = award.member_id
        ) ON coalesce(member.merged_into_id, member.id) = standing.member_id
        GROUP BY standing.member_id
        HAVING standing.payments <> count(award.id)
            OR standing.first_paid_at IS DISTINCT FROM min(award.paid_at)
            OR standing.last_paid_at IS DISTINCT FROM max(award.paid_at)
        """,
    ),
    Check(
        _("Each use of a daily cap is what the awards of that day took of it"),
        "SELECT count(*) FROM loyalty_capuse",
        # What a payment and its corrections took together stands in the why of the last of them.
        """
        WITH capped AS (
            SELECT transaction_id, member_id, (facts ->> 'on')::date AS day,
                facts -> 'caps' AS caps, why
            FROM loyalty_award WHERE facts -> 'caps' <> '{}'
        ), corrected AS (
            SELECT DISTINCT ON (deal.original_id) deal.original_id, award.why
            FROM loyalty_award AS award
            JOIN payments_transaction AS deal ON deal.id = award.transaction_id
            WHERE deal.original_id IN (SELECT transaction_id FROM capped)
            ORDER BY deal.original_id, award.id DESC
        ), told AS (
            SELECT capped.member_id, version.rule_id, capped.day,
                sum((line ->> 'points')::integer) AS points
            FROM capped
            LEFT JOIN corrected ON corrected.original_id = capped.transaction_id
            CROSS JOIN jsonb_array_elements(coalesce(corrected.why, capped.why)) AS line
            JOIN loyalty_ruleversion AS version ON version.id = (line ->> 'rule')::uuid
            WHERE line ->> 'outcome' = 'applied' AND capped.caps ? version.rule_id::text
            GROUP BY 1, 2, 3
        )
        SELECT coalesce(stored.member_id, told.member_id),
            coalesce(stored.rule_id, told.rule_id), coalesce(stored."on", told.day),
            stored.points, told.points
        FROM loyalty_capuse AS stored
        FULL JOIN told ON told.member_id = stored.member_id
            AND told.rule_id = stored.rule_id AND told.day = stored."on"
        WHERE coalesce(stored.points, 0) <> coalesce(told.points, 0)
        """,
    ),
    Check(
        _("Each tier is the one that the newest change led to"),
        "SELECT count(*) FROM loyalty_tierchange",
        """
        SELECT newest.member_id, newest.after_id, standing.tier_id
        FROM (
            SELECT DISTINCT ON (member_id) member_id, after_id
            FROM loyalty_tierchange ORDER BY member_id, id DESC
        ) AS newest
        JOIN loyalty_standing AS standing USING (member_id)
        WHERE newest.after_id IS DISTINCT FROM standing.tier_id
        """,
    ),
    Check(
        _("Whoever was merged stands where the merges that last lead, and holds nothing"),
        "SELECT count(*) FROM members_merge",
        """
        WITH RECURSIVE way (member_id, at) AS (
            SELECT merged_id, survivor_id FROM members_merge WHERE undone_at IS NULL
            UNION
            SELECT way.member_id, further.survivor_id
            FROM way JOIN members_merge AS further
              ON further.merged_id = way.at AND further.undone_at IS NULL
        ), ends AS (
            SELECT member_id, at FROM way
            WHERE at NOT IN (SELECT merged_id FROM members_merge WHERE undone_at IS NULL)
        )
        SELECT member.id, member.merged_into_id, ends.at, standing.balance, standing.payments
        FROM members_member AS member
        LEFT JOIN ends ON ends.member_id = member.id
        LEFT JOIN loyalty_standing AS standing ON standing.member_id = member.id
        WHERE member.merged_into_id IS DISTINCT FROM ends.at
           OR (member.merged_into_id IS NOT NULL
               AND (standing.balance <> 0 OR standing.payments <> 0 OR standing.is_shared))
           OR coalesce(standing.is_shared, false) <>
              EXISTS (SELECT FROM members_member WHERE merged_into_id = member.id)
        """,
    ),
    Check(
        _("Each lot that a merge moved kept its award and its age"),
        "SELECT count(*) FROM loyalty_transfer WHERE kind IN ('merge', 'unmerge')",
        """
        SELECT moved.id, before.id, after.id
        FROM loyalty_transfer AS moved
        JOIN loyalty_lotuse AS used ON used.transfer_id = moved.id
        JOIN loyalty_lot AS before ON before.id = used.lot_id
        JOIN loyalty_lot AS after ON after.transfer_id = moved.id
        WHERE moved.kind IN ('merge', 'unmerge')
          AND after.closed_at IS DISTINCT FROM after.starts_at  -- That one paid a debt.
          AND (after.award_id, after.starts_at, after.expires_at,
               coalesce(after.owner_id, after.account_id))
              IS DISTINCT FROM
              (before.award_id, before.starts_at, before.expires_at,
               coalesce(before.owner_id, before.account_id))
        """,
    ),
    Check(
        _("No coupon was used more often than it may be"),
        "SELECT count(*) FROM loyalty_couponuse",
        """
        SELECT coupon.id, count(*)
        FROM loyalty_couponuse AS used
        JOIN loyalty_coupon AS coupon ON coupon.id = used.coupon_id
        JOIN loyalty_coupontype AS kind ON kind.id = coupon.type_id
        WHERE used.cancelled_at IS NULL
        GROUP BY coupon.id, kind.uses_per_coupon
        HAVING count(*) > kind.uses_per_coupon
        """,
    ),
    Check(
        _("Each coupon type counts the coupons that it issued"),
        "SELECT count(*) FROM loyalty_coupon",
        """
        SELECT kind.id, kind.issued, count(coupon.id)
        FROM loyalty_coupontype AS kind
        LEFT JOIN loyalty_coupon AS coupon ON coupon.type_id = kind.id
        GROUP BY kind.id
        HAVING kind.issued <> count(coupon.id)
            OR kind.issued > coalesce(kind.total_limit, kind.issued)
        """,
    ),
)


def verify_books() -> list[Finding]:
    """Every check, on one snapshot of the database, while payments go on."""
    zone = {"zone": Programme.current().zone}
    is_ours = not connection.in_atomic_block  # Else the snapshot is the caller's.
    with transaction.atomic(), connection.cursor() as cursor:
        if is_ours:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        findings = []
        for check in CHECKS:
            cursor.execute(check.counted)
            (counted,) = cursor.fetchone()
            cursor.execute(check.differences, zone)
            findings.append(Finding(check, counted, cursor.fetchmany(_SHOWN)))
    return findings
