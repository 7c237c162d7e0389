"""Settlement files of platforms and banks, row by row, and what comparing them came to."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from kit.facts import Fact
from kit.money import DECIMAL_PLACES, MAX_DIGITS, Money
from kit.work import Work
from payments.models.accounts import Account
from payments.models.transactions import Transaction


class Settlement(Fact, Work):
    """One file of a platform, taken in once. Its rows are kept, not its bytes.

    It is due until it was compared with our transactions. A file of the wrong account is
    withdrawn: its rows count no longer, and it may come again.
    """

    exempt = (*Fact.exempt, "compared_at")

    account = models.ForeignKey(Account, models.PROTECT, verbose_name=_("account"))
    format = models.CharField(_("format"), max_length=20)
    file_name = models.CharField(_("file"), max_length=200)
    file_hash = models.BinaryField(max_length=32)
    starts_on = models.DateField(_("from"))
    ends_on = models.DateField(_("until"))
    rows_read = models.PositiveIntegerField(_("rows"))
    rows_unread = models.PositiveIntegerField(_("rows that could not be read"), default=0)
    footings = models.JSONField(default=list, help_text="[what, said by the file, added up by us]")
    problems = models.JSONField(default=list, help_text="[row, sentence], the first of them")
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        verbose_name=_("uploaded by"),
        related_name="+",
    )
    uploaded_at = models.DateTimeField(_("uploaded at"))
    compared_at = models.DateTimeField(_("compared at"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)
    withdrawn_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("withdrawn by"),
        related_name="+",
    )

    class Meta:
        verbose_name = _("settlement file")
        verbose_name_plural = _("settlement files")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "file_hash"],
                condition=Q(withdrawn_at__isnull=True),
                name="settlement_once",
            )
        ]
        indexes = [
            *Work.indexes_of_work,
            models.Index(fields=["-uploaded_at"], name="settlement_newest"),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def wrong_footings(self) -> list[list[str]]:
        """Sums that the file states and that its own rows do not come to."""
        return [[what, said, found] for what, said, found in self.footings if said != found]


class SettlementRow(Fact):
    """A row of a file, or a transaction of ours that the file lacks (then `number` is 0).

    What the row says is a fact; the verdict is worked out anew by each comparison.
    """

    exempt = (*Fact.exempt, "verdict", "transaction_id", "our_amount")

    class Verdict(models.TextChoices):
        UNCOMPARED = "", _("not compared yet")
        MATCHED = "matched", _("matched")
        MISSING_HERE = "missing_here", _("missing here")
        MISSING_THERE = "missing_there", _("missing there")
        AMOUNT_DIFFERS = "amount_differs", _("amount differs")
        CURRENCY_DIFFERS = "currency_differs", _("currency differs")
        FEE_DIFFERS = "fee_differs", _("fee differs")
        DUPLICATE = "duplicate", _("twice in the file")
        NOT_SALES = "not_sales", _("fee, payout or other movement")
        ELSEWHERE = "elsewhere", _("found in another file since")

    class Kind(models.TextChoices):
        PAYMENT = "payment", _("payment")
        REFUND = "refund", _("refund")
        CHARGEBACK = "chargeback", _("chargeback")
        REVERSAL = "reversal", _("reversal")
        FEE = "fee", _("fee")
        PAYOUT = "payout", _("payout")
        OTHER = "other", _("other movement")

    settlement = models.ForeignKey(
        Settlement, models.PROTECT, db_index=False, verbose_name=_("settlement file")
    )
    number = models.PositiveIntegerField(_("row"))
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    payment_ref = models.CharField(_("payment reference"), max_length=100)
    effect_ref = models.CharField(_("effect reference"), max_length=100, blank=True)
    order_ref = models.CharField(_("order number"), max_length=100, blank=True)
    amount = models.DecimalField(_("amount"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES)
    currency = models.CharField(_("currency"), max_length=3)
    settled_amount = models.DecimalField(
        _("settled amount"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        null=True,
        blank=True,
    )
    settled_currency = models.CharField(
        _("settlement currency"), max_length=3, blank=True, default=""
    )
    fee = models.DecimalField(
        _("fee"), max_digits=MAX_DIGITS, decimal_places=DECIMAL_PLACES, null=True, blank=True
    )
    occurred_at = models.DateTimeField(_("occurred at"))
    settled_on = models.DateField(_("settled on"), null=True, blank=True)
    method = models.CharField(_("payment method"), max_length=40, blank=True)
    member_code = models.CharField(_("member number"), max_length=40, blank=True)
    verdict = models.CharField(
        _("verdict"), max_length=20, choices=Verdict, blank=True, default=Verdict.UNCOMPARED
    )
    transaction = models.ForeignKey(
        Transaction,
        models.PROTECT,
        null=True,
        blank=True,
        db_index=False,
        verbose_name=_("transaction"),
        related_name="settlement_rows",
    )
    our_amount = models.DecimalField(
        _("our amount"),
        max_digits=MAX_DIGITS,
        decimal_places=DECIMAL_PLACES,
        null=True,
        blank=True,
    )

    class Meta:
        verbose_name = _("row of a settlement file")
        verbose_name_plural = _("rows of settlement files")
        constraints = [
            models.UniqueConstraint(
                fields=["settlement", "transaction"],
                condition=Q(number=0),
                name="settlementrow_lacking_once",
            )
        ]
        indexes = [
            models.Index(fields=["settlement", "verdict"], name="settlementrow_verdicts"),
            models.Index(
                fields=["transaction"],
                condition=Q(transaction__isnull=False),
                name="settlementrow_transaction",
            ),
        ]

    def __str__(self) -> str:
        return self.payment_ref

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class Proposal(Fact):
    """Somebody proposes to book what a file brings and we lack; somebody else decides."""

    row = models.ForeignKey(
        SettlementRow, models.PROTECT, related_name="proposals", verbose_name=_("row")
    )
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, verbose_name=_("proposed by"), related_name="+"
    )
    proposed_at = models.DateTimeField(_("proposed at"))
    reason = models.CharField(_("reason"), max_length=300)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        verbose_name=_("decided by"),
        related_name="+",
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    is_agreed = models.BooleanField(_("agreed"), null=True, blank=True)

    class Meta:
        verbose_name = _("proposal to book")
        verbose_name_plural = _("proposals to book")
        permissions = [
            ("agree_proposal", _("Can agree to book what somebody else proposed")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["row"], condition=Q(decided_at__isnull=True), name="proposal_open_once"
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("proposed_by")),
                name="proposal_needs_four_eyes",
            ),
        ]
        indexes = [models.Index(fields=["-proposed_at"], name="proposal_newest")]

    def __str__(self) -> str:
        return self.reason


class StatementMapping(models.Model):
    """How an account's own statement names its columns, remembered from the last upload."""

    class Sign(models.TextChoices):
        MINUS = "minus", _("one amount column: minus is a refund")
        COLUMNS = "columns", _("two columns: money in and money out")
        KIND = "kind", _("a column says payment or refund")

    class DayOrder(models.TextChoices):
        YMD = "ymd", _("year first, as in 2026-01-31")
        DMY = "dmy", _("day first, as in 31/01/2026")
        MDY = "mdy", _("month first, as in 01/31/2026")

    account = models.OneToOneField(Account, models.CASCADE, verbose_name=_("account"))
    columns = models.JSONField(_("columns"), default=dict)
    sign = models.CharField(_("sign"), max_length=10, choices=Sign, default=Sign.MINUS)
    day_order = models.CharField(_("dates"), max_length=3, choices=DayOrder, default=DayOrder.YMD)

    class Meta:
        verbose_name = _("column mapping")
        verbose_name_plural = _("column mappings")

    def __str__(self) -> str:
        return str(self.account)
