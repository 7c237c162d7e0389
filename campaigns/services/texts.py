"""Texts of campaigns: checked when staff save them, filled in for a member, laid out as mail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal
from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.html import escape, format_html, linebreaks
from django.utils.translation import gettext as _

from campaigns.models import Campaign, CampaignText, Message
from campaigns.rules.languages import choose_language
from campaigns.rules.variables import (
    OF_COUPON,
    VARIABLES,
    StrayBraces,
    fill,
    variables_in,
)
from campaigns.services.occasions import standing_of_loaded
from loyalty.models import Coupon, CouponType
from loyalty.wording import benefit
from members.models import Member, Programme, Store
from members.services.links import page_url, unsubscribe_url

_INSTANT: Final = timedelta(microseconds=1)


class BadText(ValueError):
    """A message text that could not be sent; the argument is the sentence for staff."""


@dataclass(frozen=True, slots=True)
class Written:
    """A text filled in and laid out."""

    language: str
    subject: str
    text: str
    html: str


def validate_text(text: str, *, has_coupon: bool = True) -> None:
    """Raise BadText unless every variable is one that the campaign can fill in."""
    try:
        used = variables_in(text)
    except StrayBraces:
        raise BadText(
            _("There are braces around something else than a variable. Write {{ name }}.")
        ) from None
    known = VARIABLES if has_coupon else VARIABLES - OF_COUPON
    for name in sorted(used - known):
        if name in OF_COUPON:
            raise BadText(
                _("“%(name)s” needs a coupon. Choose one for the campaign or remove it.")
                % {"name": name}
            )
        raise BadText(
            _("There is no variable “%(name)s”. Use one of: %(known)s.")
            % {"name": name, "known": ", ".join(sorted(known))}
        )


def text_for(campaign: Campaign, language: str, *, main: str) -> CampaignText | None:
    """The campaign's text that a reader of `language` gets; None if nothing fits."""
    texts = {text.language: text for text in campaign.texts.all()}
    chosen = choose_language(language, texts, main=main)
    return None if chosen is None else texts[chosen]


def write_message(
    message: Message, text: CampaignText, *, programme: Programme, store: Store | None
) -> Written:
    """The text for the message's member; raises VariableMissing where a value is not there."""
    member, coupon = message.member, message.decision.coupon
    with translation.override(text.language):
        values = {
            **_values_of_member(member, text.language),
            **(_values_of_coupon(coupon, text.language, programme, member) if coupon else {}),
            "store": (store or member.home_store or programme).name_in(text.language),
        }
        return _lay_out(
            text,
            values,
            programme=programme,
            coupon_type=coupon.type if coupon else None,
            unsubscribe=unsubscribe_url(member, message.pk),
        )


def preview_texts(campaign: Campaign, language: str, *, now: datetime) -> Written | None:
    """What a reader of `language` would get, with an invented member; None if nothing fits.

    Raises BadText.
    """
    programme = Programme.current()
    text = text_for(campaign, language, main=programme.language)
    if text is None:
        return None
    for part in (text.subject, text.body):
        validate_text(part, has_coupon=campaign.coupon_type is not None)
    kind = campaign.coupon_type
    with translation.override(text.language):
        values = _sample_values(campaign, text.language, programme=programme, now=now)
        return _lay_out(
            text,
            values,
            programme=programme,
            coupon_type=kind,
            unsubscribe=f"{settings.PUBLIC_URL.rstrip('/')}/u/…",
        )


def locale_for(language: str, region: str) -> Locale:
    """How a reader of `language` in `region` writes amounts and dates."""
    plain = language.replace("-", "_")
    try:
        return Locale.parse(f"{plain}_{region}")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(plain)


def _values_of_member(member: Member, language: str) -> dict[str, str]:
    standing = standing_of_loaded(member)
    locale = locale_for(language, member.region.code)
    tier = standing.tier if standing else None
    return {
        "name": member.name.strip() or _("dear customer"),
        "tier": tier.name_in(language) if tier else "",
        "points": format_decimal(standing.balance if standing else 0, locale=locale),
        "page": page_url(member),
    }


def _values_of_coupon(
    coupon: Coupon, language: str, programme: Programme, member: Member
) -> dict[str, str]:
    locale = locale_for(language, member.region.code)
    return {
        "coupon": coupon.type.name_in(language),
        "coupon_code": coupon.code,
        "valid_until": _last_day(coupon.expires_at, programme, locale),
    }


def _last_day(expires_at: datetime, programme: Programme, locale: Locale) -> str:
    """The last day on which a coupon is good, in the programme's zone, as coupons are issued."""
    day = (expires_at - _INSTANT).astimezone(ZoneInfo(programme.zone)).date()
    return str(format_date(day, "long", locale=locale))


def _sample_values(
    campaign: Campaign, language: str, *, programme: Programme, now: datetime
) -> dict[str, str]:
    kind = campaign.coupon_type
    locale = locale_for(language, "")
    values = {
        "name": _("Chan Tai Man"),
        "tier": campaign.tier.name_in(language) if campaign.tier else _("Gold"),
        "points": format_decimal(1280, locale=locale),
        "page": f"{settings.PUBLIC_URL.rstrip('/')}/m/…",
        "store": programme.name_in(language),
    }
    if kind is not None:
        expires_at = now + timedelta(days=kind.valid_days)
        values |= {
            "coupon": kind.name_in(language),
            "coupon_code": "C0000000000",
            "valid_until": _last_day(expires_at, programme, locale),
        }
    return values


def _lay_out(
    text: CampaignText,
    values: Mapping[str, str],
    *,
    programme: Programme,
    coupon_type: CouponType | None,
    unsubscribe: str,
) -> Written:
    """The member's page and the way to stop are in every message, whatever staff wrote."""
    context = {
        "language": text.language,
        "subject": " ".join(fill(text.subject, values).split()),
        "body": fill(text.body, values),
        "html_body": _as_html(text.body, values),
        "values": values,
        "benefit": benefit(coupon_type) if coupon_type else "",
        "sender": programme.name_in(text.language),
        "sender_address": programme.sender_address,
        "unsubscribe": unsubscribe,
    }
    return Written(
        language=text.language,
        subject=str(context["subject"]),
        text=render_to_string("messages/email.txt", context).strip() + "\n",
        html=render_to_string("messages/email.html", context),
    )


def _as_html(body: str, values: Mapping[str, str]) -> str:
    """Staff and members write text, never markup; only the page's address becomes a link."""
    escaped = {name: escape(value) for name, value in values.items()}
    page = format_html('<a href="{0}">{0}</a>', values["page"])
    return linebreaks(fill(escape(body), {**escaped, "page": page}))
