"""Linking payments to members by spreadsheet: one payment a row, and whose it is."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kit.bulk import is_any_of
from kit.ids import normal_code
from kit.spreadsheet_cells import read_code, read_text
from kit.spreadsheet_import import (
    CHANGED,
    SAME,
    Column,
    Row,
    SheetResource,
    SheetResult,
    in_scope,
    refuse_repeats,
)
from members.identity_kinds import EMAIL, PHONE
from members.models import Identity, Member
from members.selectors import phone_country_of
from members.services.identities import BadIdentity, hash_of, normalise_identity
from payments.models import Account, Transaction
from payments.services.linking import link_transactions


class LinkSheet(SheetResource):
    payment = Column(
        gettext_lazy("payment reference"),
        read=read_code(100),
        aliases="payment|payment ref|payment id|reference|transaction|transaction id|trade no|"
        "platform reference|付款編號|交易編號|交易號|參考編號|付款编号|交易编号|交易号|流水号",
        help_text=gettext_lazy("the platform's own number of the payment"),
    )
    code = Column(
        gettext_lazy("member number"),
        read=read_code(20),
        aliases="member|member no|member code|code|會員編號|會員號碼|會員號|会员编号|会员号",
    )
    phone = Column(
        gettext_lazy("phone"),
        read=read_text(40),
        aliases="phone number|mobile|tel|電話|手機|手機號碼|电话|手机|手机号|手机号码",
    )
    email = Column(
        gettext_lazy("e-mail"),
        read=read_text(254),
        aliases="email|mail|電郵|電子郵件|邮箱|电子邮件",
    )

    needed = (("payment",), ("code", "phone", "email"))
    lock = "import:links"

    def check(self, rows: list[Row]) -> None:
        same = _("The same payment stands in row %(row)s already.")
        refuse_repeats(rows, lambda row: row.get("payment"), same)
        payments = _payments([row.get("payment") for row in rows])
        for row in rows:
            self._find_payment(row, payments)
        members = _Members(rows)  # A local phone number is one of the payment's own country.
        for row in rows:
            row.values["member"] = members.named_in(row, self)
            self._judge(row)

    def write(self, rows: list[Row]) -> None:
        chosen: defaultdict[UUID, list[Row]] = defaultdict(list)
        for row in rows:
            chosen[row.values["member"].pk].append(row)
        for own in chosen.values():
            payments = [row.values["transaction"] for row in own]
            link_transactions(payments, own[0].values["member"], now=self.now)

    def summarise(self, rows: list[Row], result: SheetResult) -> None:
        members = {row.values["member"].pk for row in rows if not row.errors}
        result.summary.append((_("Members"), len(members)))

    def _find_payment(self, row: Row, payments: dict[str, list[Transaction]]) -> None:
        reference = row.get("payment")
        label = self.fields["payment"].label
        if not reference:
            row.refuse(_("This is empty but needed."), label)
            return
        found = [payment for payment in payments.get(reference, ()) if self._is_own(payment)]
        if not found:
            row.refuse(_("No payment of yours has this reference."), label)
        elif len(found) > 1:
            row.refuse(_("Several payments have this reference: link them on their pages."), label)
        else:
            row.values["transaction"] = found[0]

    def _is_own(self, payment: Transaction) -> bool:
        region = payment.store.region_id if payment.store else None
        return in_scope(self.scope, store_id=payment.store_id, region_id=region)

    def _judge(self, row: Row) -> None:
        payment: Transaction | None = row.get("transaction")
        member: Member | None = row.get("member")
        if row.errors or payment is None or member is None:
            return
        if payment.member is None:
            row.outcome = CHANGED
        elif payment.member.person_id == member.person_id:
            row.outcome = SAME
        else:
            row.refuse(
                _("This payment belongs to %(member)s already.") % {"member": payment.member.code},
                self.fields["payment"].label,
            )


class _Members:
    """The members whom rows name, looked up once for all."""

    def __init__(self, rows: Sequence[Row]) -> None:
        codes = {normal_code(row.get("code")) for row in rows if row.get("code")}
        found = Member.objects.filter(is_any_of("code", codes)).select_related("merged_into")
        self._by_code = {member.code: member for member in found}
        self._usual_country = phone_country_of(None)
        hashes = {digest for row in rows for _kind, digest in self._signs(row).values()}
        known = Identity.objects.filter(is_any_of("hash", hashes))
        owners = known.select_related("member__merged_into")
        self._by_sign = {(row.kind, row.hash): row.member for row in owners}

    def named_in(self, row: Row, sheet: LinkSheet) -> Member | None:
        """Refuses a row that names nobody, somebody unknown, or two."""
        found: dict[str, Member | None] = {}
        if row.get("code"):
            found["code"] = self._by_code.get(normal_code(row.get("code")))
        for name, sign in self._signs(row).items():
            found[name] = self._by_sign.get(sign)
        for name in ("phone", "email"):
            if row.get(name):
                found.setdefault(name, None)
        if not found and not row.errors:
            row.refuse(_("Whose is it? Give a member number, phone or e-mail."))
        for name, member in found.items():
            _check_member(row, member, sheet, name)
        people = {member.person_id for member in found.values() if member is not None}
        if len(people) > 1:
            row.refuse(_("The number, phone and e-mail in this row belong to different members."))
        return next((member for member in found.values() if member is not None), None)

    def _signs(self, row: Row) -> dict[str, tuple[str, str]]:
        """Phone and e-mail as they are looked up; what is none is left out."""
        payment: Transaction | None = row.get("transaction")
        store = payment.store if payment else None
        country = store.region.phone_country if store else self._usual_country
        signs = {}
        for name, kind in (("phone", PHONE), ("email", EMAIL)):
            value = row.get(name)
            if not value:
                continue
            try:
                normal = normalise_identity(kind, value, country=country)
            except BadIdentity:
                continue
            signs[name] = (kind, hash_of(kind, normal))
        return signs


def _check_member(row: Row, member: Member | None, sheet: LinkSheet, column: str) -> None:
    if member is None:
        row.refuse(_("Nobody is known by this."), sheet.fields[column].label)
    elif not in_scope(sheet.scope, store_id=member.home_store_id, region_id=member.region_id):
        row.refuse(_("This member belongs to a store or region that is not yours."))


def _payments(references: Sequence[Any]) -> dict[str, list[Transaction]]:
    wanted = [reference for reference in references if reference]
    rows = Transaction.objects.filter(
        is_any_of("payment_ref", wanted),
        account__in=list(Account.objects.values_list("pk", flat=True)),
        kind=Transaction.Kind.PAYMENT,
    )
    found: defaultdict[str, list[Transaction]] = defaultdict(list)
    for row in rows.select_related("store__region", "member"):
        found[row.payment_ref].append(row)
    return found
