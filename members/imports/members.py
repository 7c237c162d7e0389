"""Members by spreadsheet: found again by number, phone, e-mail or customer number, else enrolled.

An empty cell changes nothing, and nothing is ever taken away. Who comes in by spreadsheet is not
contactable until the consent column says yes, and a member's own no outweighs it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from kit.ids import normal_code
from kit.masking import DOTS, mask_name
from kit.spreadsheet_cells import read_code, read_day, read_text, read_word, read_yes_or_no
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
from members.identity_kinds import CUSTOMER, EMAIL, PHONE
from members.imports.writing import write_members
from members.models import Consent, Identity, Member, Region, Store
from members.persons import person_of
from members.selectors import phone_country_of
from members.services.identities import BadIdentity, hash_of, normalise_identity

_LANGUAGES: Final = {
    "zh-hant": "繁體中文|繁体中文|繁體|繁体|繁中|zh-hant|"
    "zh_hant|zh-hk|zh-tw|zh|中文|traditional chinese",
    "zh-hans": "簡體中文|简体中文|簡體|简体|简中|zh-hans|zh_hans|zh-cn|simplified chinese",
    "en": "en|en-hk|en-us|en-gb|english|英文|英語|英语",
}
_SIGNS: Final = {
    "phone": PHONE,
    "email": EMAIL,
    "customer": CUSTOMER,
}
_PLACES: Final = ("region", "home_store", "merged_into__region", "merged_into__home_store")
# A member who said no in person is not overruled by a list.
_OWN_WORD: Final = frozenset({Consent.Source.UNSUBSCRIBE, Consent.Source.PAGE})


class MemberSheet(SheetResource):
    code = Column(
        gettext_lazy("member number"),
        read=read_code(20),
        aliases="member no|member code|member id|code|會員編號|會員號碼|會員號|会员编号|会员号|"
        "会员号码",
        help_text=gettext_lazy("only of members who are here already"),
    )
    customer = Column(
        gettext_lazy("customer number"),
        read=read_code(100),
        aliases="customer no|customer id|customer|customer code|顧客編號|顧客號碼|客戶編號|"
        "客戶號碼|客户编号|客户号|顾客编号|旧会员号|舊會員編號|card number|card no|卡號|卡号",
        help_text=gettext_lazy("the number in another system"),
    )
    name = Column(
        pgettext_lazy("of a person", "name"),
        read=read_text(120),
        aliases="full name|member name|customer name|姓名|名稱|名称|會員姓名|会员姓名|顧客姓名|"
        "客户姓名",
    )
    phone = Column(
        gettext_lazy("phone"),
        read=read_text(40),
        aliases="phone number|mobile|mobile phone|tel|telephone|電話|電話號碼|手機|手機號碼|"
        "手提電話|电话|电话号码|手机|手机号|手机号码|联系电话|聯絡電話",
    )
    email = Column(
        gettext_lazy("e-mail"),
        read=read_text(254),
        aliases="email|mail|email address|e-mail address|電郵|電郵地址|電子郵件|電子信箱|邮箱|"
        "电子邮件|电子邮箱|电邮",
    )
    language = Column(
        gettext_lazy("language"),
        read=read_word(
            {word: code for code, words in _LANGUAGES.items() for word in words.split("|")}
        ),
        aliases="語言|语言|lang|preferred language|慣用語言|首选语言",
    )
    region = Column(
        gettext_lazy("region"),
        read=read_text(120),
        aliases="market|country|地區|地区|區域|区域|市場|市场|國家|国家",
    )
    home_store = Column(
        gettext_lazy("home store"),
        read=read_text(120),
        aliases="store|shop|branch|store code|門市|門店|分店|店鋪|所屬門市|门店|门市|店铺|"
        "所属门店|门店编号",
    )
    born_on = Column(
        gettext_lazy("date of birth"),
        read=read_day,
        aliases="birthday|birth date|birthdate|born on|dob|生日|出生日期|出生年月日",
    )
    joined_on = Column(
        gettext_lazy("joined on"),
        read=read_day,
        aliases="joined|join date|joined at|member since|date joined|入會日期|加入日期|入会日期|"
        "注册日期|註冊日期",
        help_text=gettext_lazy("only of new members"),
    )
    consent = Column(
        gettext_lazy("e-mail consent"),
        read=read_yes_or_no,
        aliases="consent|email consent|marketing consent|opt in|opt-in|newsletter|電郵同意|"
        "同意電郵|同意接收優惠|接收優惠|邮件同意|同意接收优惠|接收优惠|同意接收電郵|同意接收邮件",
        help_text=gettext_lazy("yes or no; without a yes no offers are sent"),
    )

    needed = (("code", "customer", "phone", "email"),)
    lock = "import:members"

    def check(self, rows: list[Row]) -> None:
        self._refused_consents = 0
        self._find_places(rows)
        shared_country = phone_country_of(None)
        for row in rows:
            self._check_days(row)
            self._read_signs(row, shared_country)
        self._refuse_repeats(rows)
        self._find_members(rows)
        words = _newest_consents(row.get("member") for row in rows)
        for row in rows:
            self._judge(row, words)

    def write(self, rows: list[Row]) -> None:
        write_members(rows, now=self.now)

    def summarise(self, rows: list[Row], result: SheetResult) -> None:
        granted = sum(not row.errors and row.get("new_consent") is True for row in rows)
        result.summary.append((_("Consents to e-mail"), granted))
        if self._refused_consents:
            result.notes.append(
                _(
                    "%(members)s members unsubscribed themselves: the yes in the file does not"
                    " change that."
                )
                % {"members": self._refused_consents}
            )

    def _find_places(self, rows: Sequence[Row]) -> None:
        regions = _by_words(Region.objects.all())
        stores = _by_words(Store.objects.select_related("region"))
        for row in rows:
            store = _resolve(row, "home_store", stores, self.fields["home_store"].label)
            region = _resolve(row, "region", regions, self.fields["region"].label)
            row.values["chosen_store"] = store or self.choices.get("store")
            row.values["chosen_region"] = (
                region or self.choices.get("region") or getattr(store, "region", None)
            ) or getattr(self.choices.get("store"), "region", None)

    def _check_days(self, row: Row) -> None:
        today = self.now.date()
        for name in ("born_on", "joined_on"):
            day = row.get(name)
            if day and day > today:
                row.refuse(_("This day lies in the future."), self.fields[name].label)

    def _read_signs(self, row: Row, shared_country: str) -> None:
        region = row.get("chosen_region")
        country = region.phone_country if region else shared_country
        signs: dict[str, str] = {}
        for name, kind in _SIGNS.items():
            value = row.get(name)
            if not value:
                continue
            try:
                signs[kind] = normalise_identity(kind, value, country=country)
            except BadIdentity as problem:
                row.refuse(str(problem), self.fields[name].label)
        row.values["signs"] = signs
        named = any(row.cells.get(name) for name in ("code", *_SIGNS))
        if not named:
            row.refuse(
                _("Nobody can be recognised: give a phone, e-mail, customer or member number.")
            )

    def _refuse_repeats(self, rows: Sequence[Row]) -> None:
        same = _("The same member stands in row %(row)s already.")
        refuse_repeats(rows, lambda row: normal_code(row.get("code") or ""), same)
        for kind in _SIGNS.values():
            refuse_repeats(rows, partial(_sign, kind=kind), same)

    def _find_members(self, rows: Sequence[Row]) -> None:
        codes = {normal_code(row.get("code")) for row in rows if row.get("code")}
        hashes = {
            (kind, hash_of(kind, value)): row
            for row in rows
            for kind, value in row.values["signs"].items()
        }
        owners = {
            (identity.kind, identity.hash): person_of(identity.member)
            for identity in Identity.objects.filter(
                hash__in={digest for _kind, digest in hashes}
            ).select_related(*(f"member__{name}" for name in _PLACES))
        }
        members = {
            member.code: person_of(member)
            for member in Member.objects.filter(code__in=codes).select_related(*_PLACES)
        }
        for row in rows:
            self._identify(row, members, owners)

    def _identify(
        self,
        row: Row,
        members: dict[str, Member],
        owners: dict[tuple[str, str], Member],
    ) -> None:
        found: dict[Any, Member] = {}
        if code := row.get("code"):
            member = members.get(normal_code(code))
            if member is None:
                row.refuse(
                    _(
                        "Nobody has this member number. Leave it empty for new members; numbers"
                        " of another system belong under “%(column)s”."
                    )
                    % {"column": self.fields["customer"].label},
                    self.fields["code"].label,
                )
                return
            found[member.pk] = member
        fresh = {}
        for kind, value in row.values["signs"].items():
            owner = owners.get((kind, hash_of(kind, value)))
            if owner is None:
                fresh[kind] = value
            else:
                found[owner.pk] = owner
        if len(found) > 1:
            row.refuse(_("The phone, e-mail and numbers in this row belong to different members."))
        row.values["fresh_signs"] = fresh
        row.values["member"] = next(iter(found.values()), None)

    def _judge(self, row: Row, words: dict[Any, Consent]) -> None:
        """Set what the row would do: enrol, change or leave a member."""
        if row.errors:
            return
        member: Member | None = row.get("member")
        row.values["new_consent"] = self._consent(row, words.get(member.pk if member else None))
        if member is None:
            self._judge_new(row)
            return
        wanted = {
            "name": row.get("name"),
            "language": row.get("language"),
            "region": row.get("chosen_region") if row.get("region") else None,
            "home_store": row.get("chosen_store") if row.get("home_store") else None,
            "born_on": row.get("born_on"),
        }
        changed = {
            name: value
            for name, value in wanted.items()
            if value not in (None, "") and value != getattr(member, name)
        }
        if not self._is_own(member) or (
            {"region", "home_store"} & changed.keys()
            and not in_scope(
                self.scope,
                store_id=_key(changed.get("home_store", member.home_store)),
                region_id=_key(changed.get("region", member.region)),
            )
        ):
            row.refuse(_not_yours())
            return
        row.values["changed"] = changed
        row.changes = {name: _before_after(member, name, row) for name in changed}
        has_news = changed or row.get("fresh_signs") or row.get("new_consent") is not None
        row.outcome = CHANGED if has_news else SAME

    def _judge_new(self, row: Row) -> None:
        region, store = row.get("chosen_region"), row.get("chosen_store")
        if region is None:
            row.refuse(
                _("A new member needs a region: fill the column, or choose one on this page."),
                self.fields["region"].label,
            )
        elif not in_scope(self.scope, store_id=_key(store), region_id=_key(region)):
            row.refuse(_not_yours())
        else:
            zone = ZoneInfo(region.zone)
            day = row.get("joined_on")
            row.values["joined_at"] = datetime.combine(day, time(), zone) if day else self.now

    def _is_own(self, member: Member) -> bool:
        return in_scope(self.scope, store_id=member.home_store_id, region_id=member.region_id)

    def _consent(self, row: Row, word: Consent | None) -> bool | None:
        """What to record: yes, no, or nothing (None)."""
        said = row.get("consent")
        is_granted = word is not None and word.is_granted
        if said is None or said == is_granted:
            return None
        if said and word is not None and word.source in _OWN_WORD:
            self._refused_consents += 1
            return None
        return bool(said)


def _newest_consents(members: Iterable[Member | None]) -> dict[Any, Consent]:
    known = {member.pk for member in members if member is not None}
    said = Consent.objects.filter(
        member__in=known,
        channel=Consent.Channel.EMAIL,
        purpose=Consent.Purpose.MARKETING,
    )
    return {consent.member_id: consent for consent in said.newest_of_each("member_id")}


def _sign(row: Row, *, kind: str) -> str:
    return str(row.values["signs"].get(kind, ""))


def _by_words(places: Iterable[Any]) -> dict[str, Any]:
    """Regions or stores by their code and by each of their names, without case."""
    found: dict[str, Any] = {}
    for place in places:
        for word in (place.name, place.name_zh_hant, place.name_zh_hans, place.code):
            if word:
                found[word.casefold()] = place
    return found


def _resolve(row: Row, name: str, known: dict[str, Any], label: str) -> Any:
    word = row.get(name)
    if not word:
        return None
    place = known.get(word.casefold())
    if place is None:
        codes = ", ".join(sorted({place.code for place in known.values()})[:20])
        row.refuse(
            _("“%(value)s” is not known. Write one of: %(allowed)s.")
            % {"value": word[:40], "allowed": codes},
            label,
        )
    return place


def _before_after(member: Member, name: str, row: Row) -> str:
    old = getattr(member, name)
    if name == "name":
        old = mask_name(old)
    elif name == "born_on":
        old = DOTS if old else ""
    return f"{old or '-'} → {row.cells.get(name, '')}"


def _key(place: Any) -> int | None:
    return place.pk if place is not None else None


def _not_yours() -> str:
    return _("This member belongs to a store or region that is not yours.")
