"""The three campaigns of the demo merchant, with their words in three languages."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from campaigns.models import Campaign, CampaignText
from campaigns.services.running import start_campaign
from config.demo.merchant import ACCESSORY, GIFT, MISS_YOU
from config.demo.words import Words
from loyalty.models import CouponType

_Text = tuple[Words, Words]  # subject, body

_CAMPAIGNS: Final[tuple[tuple[Words, Mapping[str, Any], str, _Text], ...]] = (
    (
        Words("Upgrade gift", "升級禮", "升级礼"),
        {"trigger": Campaign.Trigger.TIER_REACHED},
        GIFT,
        (
            Words(
                "{{ name }}, welcome to {{ tier }}",
                "{{ name }}，恭喜升級為「{{ tier }}」會員",
                "{{ name }}，恭喜升级为“{{ tier }}”会员",
            ),
            Words(
                "Thank you for coming back so often. You are now a {{ tier }} member.\n\n"
                "Your gift: {{ coupon }}. Show code {{ coupon_code }} at {{ store }} "
                "until {{ valid_until }}.",
                "謝謝你一直光顧。你現在是「{{ tier }}」會員了。\n\n"
                "送你一份禮物：{{ coupon }}。{{ valid_until }}或之前，"
                "在{{ store }}出示優惠碼 {{ coupon_code }} 即可領取。",
                "谢谢你一直光顾。你现在是“{{ tier }}”会员了。\n\n"
                "送你一份礼物：{{ coupon }}。{{ valid_until }}或之前，"
                "在{{ store }}出示优惠码 {{ coupon_code }} 即可领取。",
            ),
        ),
    ),
    (
        Words("Teaware after a large purchase", "大額消費贈茶具優惠", "大额消费赠茶具优惠"),
        {"trigger": Campaign.Trigger.LARGE_TICKET, "amount": Decimal(800), "currency": "HKD"},
        ACCESSORY,
        (
            Words(
                "Something to brew it in",
                "好茶配好器",
                "好茶配好器",
            ),
            Words(
                "Dear {{ name }},\n\nthe right pot makes a good tea better. With {{ coupon }} "
                "(code {{ coupon_code }}, until {{ valid_until }}) you choose one for less.\n\n"
                "You have {{ points }} points now.",
                "{{ name }}，你好：\n\n一把合適的壺，讓好茶更好喝。憑「{{ coupon }}」"
                "（優惠碼 {{ coupon_code }}，有效至 {{ valid_until }}）選購茶具，更添優惠。\n\n"
                "你現有 {{ points }} 點。",
                "{{ name }}，你好：\n\n一把合适的壶，让好茶更好喝。凭“{{ coupon }}”"
                "（优惠码 {{ coupon_code }}，有效至 {{ valid_until }}）选购茶具，更添优惠。\n\n"
                "你现有 {{ points }} 积分。",
            ),
        ),
    ),
    (
        Words("We miss you", "好久不見", "好久不见"),
        {"trigger": Campaign.Trigger.SILENCE, "silent_days": 90, "daily_cap": 15},
        MISS_YOU,
        (
            Words(
                "{{ name }}, your tea is waiting",
                "{{ name }}，好久不見",
                "{{ name }}，好久不见",
            ),
            Words(
                "It has been a while. New leaves have come in since, and we would like you to "
                "taste them.\n\n{{ coupon }}: code {{ coupon_code }}, until {{ valid_until }}.",
                "好一段時間沒見了，店裡來了不少新茶，等你來品嚐。\n\n"
                "{{ coupon }}：優惠碼 {{ coupon_code }}，有效至 {{ valid_until }}。",
                "好一段时间没见了，店里来了不少新茶，等你来品尝。\n\n"
                "{{ coupon }}：优惠码 {{ coupon_code }}，有效至 {{ valid_until }}。",
            ),
        ),
    ),
)


def draft_campaigns() -> None:
    for words, fields, coupon, (subject, body) in _CAMPAIGNS:
        campaign = Campaign.objects.create(
            coupon_type=CouponType.objects.get(code=coupon), **{**words.as_fields(), **fields}
        )
        bodies = body.by_language()
        CampaignText.objects.bulk_create(
            CampaignText(
                campaign=campaign, language=language, subject=subject, body=bodies[language]
            )
            for language, subject in subject.by_language().items()
        )


def start_campaigns(*, now: datetime) -> None:
    """From now on they write; silences that began before count, a few members a day."""
    for campaign in Campaign.objects.order_by("pk"):
        start_campaign(campaign, include_silent=True, now=now)
