"""The inlet without code: any system that can post JSON or a form, read by a recipe.

Which fields matter and how a post is signed, staff pick from a sample in the admin; the recipe
(`payments/inlet_recipe.py`) lies with the account and reaches this module with its keys. Until a
recipe was tested, everything is refused, and the refused posts may serve as the sample.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final

from django.utils.translation import gettext_lazy as _

from kit.money import MoneyError
from kit.signatures import UnusableSecret, is_same, seconds_old
from kit.untrusted import Unreadable, clean_text
from payments.inlet_posts import notice_by, text_at, tree_of
from payments.inlet_recipe import SETTING, BadRecipe, Recipe, load_recipe, value_at
from payments.providers import standard
from payments.providers.base import (
    Ignored,
    Inbound,
    Keys,
    MalformedPayload,
    Notice,
    Outcome,
    Provider,
    Reason,
    Rejected,
    Reply,
    Verified,
    age_problem,
    content_key,
    refused_if_unreadable,
)

_SHORTEST_SECRET: Final = 16


@refused_if_unreadable
def verify(request: Inbound, keys: Keys, now: datetime) -> Verified | Rejected:
    """Whether the post is signed as the recipe says, with one of the account's secrets."""
    try:
        recipe = recipe_of(keys)
    except BadRecipe:
        return Rejected(Reason.NOT_SET_UP)
    if recipe.scheme == "standard":
        return standard.verify(request, keys, now)
    problem = _signature_problem(request, recipe, keys) or _age_problem(request, recipe, now)
    return problem or Verified(delivery_key=_delivery_key(request, recipe))


def read(request: Inbound, keys: Keys) -> list[Notice] | Ignored:
    """The one effect that the post tells of; raises MalformedPayload."""
    try:
        return read_by(recipe_of(keys), request)
    except BadRecipe as problem:
        raise MalformedPayload("The fields of this inlet are not set up.") from problem


def read_by(recipe: Recipe, request: Inbound) -> list[Notice] | Ignored:
    """The same with a recipe that is only being tried; raises MalformedPayload."""
    try:
        notice = notice_by(recipe, request)
        return [notice] if notice is not None else Ignored("other_status")
    except (Unreadable, MoneyError) as problem:
        raise MalformedPayload(problem.kept) from problem


def recipe_of(keys: Keys) -> Recipe:
    """Raises BadRecipe where none was tested yet."""
    return load_recipe(keys.settings.get(SETTING, ""))


def acknowledge(outcome: Outcome) -> Reply:
    return Reply(400 if outcome is Outcome.REFUSED else 200)


def acknowledge_as(outcome: Outcome, keys: Keys) -> Reply:
    """The answer that the account's system waits for."""
    if outcome is Outcome.REFUSED:
        return Reply(400)
    try:
        recipe = recipe_of(keys)
    except BadRecipe:
        return acknowledge(outcome)
    is_json = recipe.reply_body.lstrip().startswith("{")
    content_type = "application/json" if is_json else "text/plain"
    return Reply(int(recipe.reply_status), recipe.reply_body.encode(), content_type)


def check_secret(secret: str) -> None:
    """Raises UnusableSecret for what could be guessed."""
    text = secret.strip()
    if len(text) < _SHORTEST_SECRET or len(set(text)) < 8:
        raise UnusableSecret(_("Take a secret of 16 characters or more, made at random."))


def make_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _signature_problem(request: Inbound, recipe: Recipe, keys: Keys) -> Rejected | None:
    given = _given_signature(request, recipe)
    if not given:
        return Rejected(Reason.MISSING_SIGNATURE)
    usable = [secret.strip() for secret in keys.secrets if len(secret.strip()) >= _SHORTEST_SECRET]
    if not usable:
        return Rejected(Reason.NO_SECRET)
    if recipe.scheme == "token":
        expected = usable
    else:
        expected = [_expected(request, recipe, secret) for secret in usable]
        if recipe.encoding == "hex":
            given = given.lower()
    # Every one is compared, so that the time tells nothing of which secret came near.
    matches = [is_same(ours, given) for ours in expected]
    return None if any(matches) else Rejected(Reason.BAD_SIGNATURE)


def _given_signature(request: Inbound, recipe: Recipe) -> str:
    if recipe.scheme in ("form", "form_key") and recipe.signature_field:
        given = str(tree_of(request.body, "form").get(recipe.signature_field, ""))
    else:
        given = request.headers.get(recipe.signature_header.strip().lower(), "")
    given = given.strip()
    if recipe.prefix and not given.startswith(recipe.prefix):
        return ""
    return given.removeprefix(recipe.prefix).strip()


def _expected(request: Inbound, recipe: Recipe, secret: str) -> str:
    content = _signed_content(request, recipe)
    if recipe.scheme == "form_key":
        keyed = content + b"&key=" + secret.encode()
        digest = hashlib.new(recipe.algorithm, keyed).digest()
    else:
        digest = hmac.digest(secret.encode(), content, recipe.algorithm)
    return digest.hex() if recipe.encoding == "hex" else base64.b64encode(digest).decode()


def _signed_content(request: Inbound, recipe: Recipe) -> bytes:
    stamp = request.headers.get(recipe.stamp_header.strip().lower(), "").encode(
        "utf-8", "backslashreplace"
    )
    match recipe.scheme:
        case "dotted":
            return stamp + b"." + request.body
        case "joined":
            return stamp + request.body
        case "form" | "form_key":
            form = tree_of(request.body, "form")
            left_out = {recipe.signature_field}
            pairs = sorted((k, v) for k, v in form.items() if k not in left_out and v)
            text = "&".join(f"{name}={value}" for name, value in pairs)
            # Values run in unescaped: "a=1&b=2" could be two fields or one.
            if any("&" in value or "&" in name or "=" in name for name, value in pairs):
                raise Unreadable("A value contains &, so that the signature is ambiguous.")
            return text.encode("utf-8", "surrogateescape")
        case _:
            return request.body


def _age_problem(request: Inbound, recipe: Recipe, now: datetime) -> Rejected | None:
    if not recipe.stamp_header:
        return None
    stamp = request.headers.get(recipe.stamp_header.strip().lower(), "").strip()
    if recipe.stamp_unit == "milliseconds":
        stamp = stamp[:-3]
    age = seconds_old(stamp, now)
    if age is None:
        return Rejected(Reason.MALFORMED, recipe.stamp_header)
    return age_problem(age)


def _delivery_key(request: Inbound, recipe: Recipe) -> str:
    """The post's own id, else its content: a resend is the same bytes then."""
    named = request.headers.get(recipe.delivery_header.strip().lower(), "").strip()
    if recipe.delivery_header and named:
        return clean_text(named, recipe.delivery_header)
    if recipe.delivery:
        tree = tree_of(request.body, recipe.shape)
        if value_at(tree, recipe.delivery) not in (None, ""):
            return text_at(tree, recipe.delivery)
    return content_key(request.body)


PROVIDER = Provider(
    code="inlet",
    label=_("Another system (no code)"),
    secret_label=_("Signing secret or shared token"),
    secret_help=_(
        "As the other system shows it, or made here and entered there. It is used as the text "
        "that you see. After saving, set up which fields of its posts mean what."
    ),
    verify=verify,
    read=read,
    acknowledge=acknowledge,
    acknowledge_as=acknowledge_as,
    check_secret=check_secret,
    make_secret=make_secret,
)
