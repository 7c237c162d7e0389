"""The recipe of a no-code inlet: where in a post things stand, and how it is signed.

Staff make it from a sample in the admin; it is kept with the account as text of one version. Paths
are JSON Pointers (RFC 6901), also for forms, whose fields lie side by side.

SHA-1 and MD5 are left out: a system that signs with nothing better is let in by a shared token,
which claims no more than it holds.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext_lazy as _

VERSION: Final = 1
SETTING: Final = "recipe"

SHAPES: Final = (("json", _("JSON")), ("form", _("Form (a=1&b=2)")))
SCHEMES: Final = (
    ("standard", _("Standard Webhooks")),
    ("body", _("HMAC of the body")),
    ("dotted", _("HMAC of time stamp, point and body")),
    ("joined", _("HMAC of time stamp and body, joined")),
    ("form", _("HMAC of the sorted form fields")),
    ("form_key", _("Digest of the sorted form fields with &key= and the secret")),
    ("token", _("Shared token in a header (weaker: it signs nothing)")),
)
ALGORITHMS: Final = (("sha256", _("SHA-256")), ("sha512", _("SHA-512")))
ENCODINGS: Final = (("hex", _("Hexadecimal")), ("base64", _("Base64")))
STAMPS: Final = (("seconds", _("Unix seconds")), ("milliseconds", _("Unix milliseconds")))
UNITS: Final = (("major", _("Dollars (95.00)")), ("minor", _("Cents (9500)")))
TIMES: Final = (
    ("arrival", _("When the post came in")),
    ("iso", _("ISO 8601 (2026-11-21T12:00:00+08:00)")),
    ("clock", _("Date and time without a zone (2026-11-21 12:00:00)")),
    ("seconds", _("Unix seconds")),
    ("milliseconds", _("Unix milliseconds")),
)
REFUNDS: Final = (
    ("single", _("Of this refund alone")),
    ("total", _("Of all refunds so far")),
)
PAYERS: Final = (
    ("phone", _("Phone number")),
    ("email", _("E-mail address")),
    ("wallet", _("Wallet or customer number")),
)
MOST_FOUND: Final = 200
_DEEPEST: Final = 8


class BadRecipe(ValueError):
    """What is wrong, as field of the recipe → sentence for staff."""

    def __init__(self, problems: Mapping[str, Any]) -> None:
        super().__init__("; ".join(f"{name}: {words}" for name, words in problems.items()))
        self.problems = dict(problems)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every field is text. A path that is blank is not used."""

    shape: str = "json"
    scheme: str = "standard"
    algorithm: str = "sha256"
    encoding: str = "hex"
    signature_header: str = ""
    signature_field: str = ""  # Of the form, for the two schemes of forms.
    prefix: str = ""
    stamp_header: str = ""
    stamp_unit: str = "seconds"
    delivery_header: str = ""
    delivery: str = ""
    reference: str = ""
    amount: str = ""
    unit: str = "major"
    currency: str = ""
    fixed_currency: str = ""
    time: str = ""
    time_format: str = "arrival"
    zone: str = "Asia/Hong_Kong"
    status: str = ""
    paid_values: str = ""
    refunded_values: str = ""
    refund_reference: str = ""
    refund_amount: str = ""
    refund_means: str = "single"
    order: str = ""
    member: str = ""
    payer: str = ""
    payer_kind: str = "phone"
    store: str = ""
    method: str = ""
    lines: str = ""
    line_sku: str = ""
    line_quantity: str = ""
    line_amount: str = ""
    line_name: str = ""
    reply_status: str = "200"
    reply_body: str = ""

    def dump(self) -> str:
        return json.dumps({"version": VERSION, **asdict(self)}, ensure_ascii=False)

    @property
    def paid(self) -> frozenset[str]:
        return values_in(self.paid_values)

    @property
    def refunded(self) -> frozenset[str]:
        return values_in(self.refunded_values)


PATHS: Final = (
    "delivery",
    "reference",
    "amount",
    "currency",
    "time",
    "status",
    "refund_reference",
    "refund_amount",
    "order",
    "member",
    "payer",
    "store",
    "method",
)
_CHOICES: Final = {
    "shape": SHAPES,
    "scheme": SCHEMES,
    "algorithm": ALGORITHMS,
    "encoding": ENCODINGS,
    "stamp_unit": STAMPS,
    "unit": UNITS,
    "time_format": TIMES,
    "refund_means": REFUNDS,
    "payer_kind": PAYERS,
}


def load_recipe(text: str) -> Recipe:
    """The recipe in an account's settings; raises BadRecipe."""
    try:
        kept = json.loads(text)
        version = kept.pop("version")
    except (ValueError, AttributeError, TypeError, KeyError) as problem:
        raise BadRecipe({"": _("The fields are not set up yet.")}) from problem
    names = {row.name for row in fields(Recipe)}
    if version != VERSION or not all(isinstance(value, str) for value in kept.values()):
        raise BadRecipe({"": _("The fields were set up by another version. Set them up again.")})
    return check_recipe(Recipe(**{name: kept[name] for name in names & kept.keys()}))


def check_recipe(recipe: Recipe) -> Recipe:
    """The recipe itself; raises BadRecipe where something is missing or contradicts the rest."""
    problems: dict[str, Any] = {}
    for name, choices in _CHOICES.items():
        if getattr(recipe, name) not in dict(choices):
            problems[name] = _("Choose one of the list.")
    for name in PATHS:
        if getattr(recipe, name) and not getattr(recipe, name).startswith("/"):
            problems[name] = _("Pick a field of the sample.")
    problems |= _problems_of_signature(recipe) | _problems_of_fields(recipe)
    problems |= _problems_of_states(recipe)
    if problems:
        raise BadRecipe(problems)
    return recipe


def _problems_of_signature(recipe: Recipe) -> dict[str, Any]:
    found: dict[str, Any] = {}
    is_form_scheme = recipe.scheme in ("form", "form_key")
    if is_form_scheme and recipe.shape != "form":
        found["scheme"] = _("Only forms are signed by their sorted fields.")
    if is_form_scheme and not (recipe.signature_field or recipe.signature_header):
        found["signature_field"] = _("Name the form field or the header with the signature.")
    if recipe.scheme in ("body", "dotted", "joined", "token") and not recipe.signature_header:
        found["signature_header"] = _("Name the header that carries it.")
    if recipe.scheme in ("dotted", "joined") and not recipe.stamp_header:
        found["stamp_header"] = _("Name the header with the time stamp that is signed along.")
    if not recipe.reply_status.isdecimal() or not 200 <= int(recipe.reply_status) <= 299:
        found["reply_status"] = _("A good answer has a status from 200 to 299.")
    return found


def _problems_of_fields(recipe: Recipe) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not recipe.reference:
        found["reference"] = _("Pick the number of the payment.")
    if not recipe.amount:
        found["amount"] = _("Pick the amount.")
    if bool(recipe.currency) == bool(recipe.fixed_currency):
        found["currency"] = _("Pick the field with the currency, or enter one currency for all.")
    if recipe.time_format != "arrival" and not recipe.time:
        found["time"] = _("Pick the time, or let it be when the post came in.")
    if recipe.lines and not (recipe.line_sku and recipe.line_amount):
        found["lines"] = _("Name the fields of a line that hold its article and its amount.")
    if not _is_zone(recipe.zone):
        found["zone"] = _("Choose one of the list.")
    return found


def _problems_of_states(recipe: Recipe) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if recipe.status and not (recipe.paid | recipe.refunded):
        found["paid_values"] = _("Enter the values that mean paid or refunded.")
    if (recipe.paid & recipe.refunded) or (recipe.refunded and not recipe.status):
        found["refunded_values"] = _("A value of the state means either paid or refunded.")
    if recipe.refunded and recipe.refund_means == "single" and not recipe.refund_reference:
        found["refund_reference"] = _(
            "Pick the refund's own number. Without one, two refunds of the same amount look "
            "alike: then the amount must be that of all refunds so far."
        )
    return found


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def values_in(typed: str) -> frozenset[str]:
    """`PAID, success` → both, compared without regard to case."""
    return frozenset(word.strip().casefold() for word in typed.split(",") if word.strip())


def value_at(tree: Any, pointer: str) -> Any:
    """What stands at `pointer`, None if nothing does."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(tree, Mapping):
            tree = tree.get(name)
        elif isinstance(tree, list):
            tree = tree[int(name)] if name.isdecimal() and int(name) < len(tree) else None
        else:
            return None
    return tree


def leaves(tree: Any, pointer: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every value in `tree` with its pointer, in order; of a list only the first entry."""
    if depth > _DEEPEST:
        return
    if isinstance(tree, Mapping):
        for name, inner in tree.items():
            step = str(name).replace("~", "~0").replace("/", "~1")
            yield from leaves(inner, f"{pointer}/{step}", depth + 1)
    elif isinstance(tree, list):
        if tree:
            yield from leaves(tree[0], f"{pointer}/0", depth + 1)
    elif tree is not None and pointer:
        yield pointer, tree


def lists(tree: Any, pointer: str = "", depth: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """Every list of objects in `tree` with its pointer."""
    if depth > _DEEPEST:
        return
    if isinstance(tree, Mapping):
        for name, inner in tree.items():
            step = str(name).replace("~", "~0").replace("/", "~1")
            yield from lists(inner, f"{pointer}/{step}", depth + 1)
    elif isinstance(tree, list) and tree and all(isinstance(row, Mapping) for row in tree):
        yield pointer, tree
