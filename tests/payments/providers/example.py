"""How tests play a payment platform: an account's keys, and genuine posts made with invented keys.

Each `test_<code>.py` beside this file ends its setting-up with `EXAMPLE = Example(...)`; hostile
inputs, books per platform and the kill test are run over all that are found. What a platform
writes in a second way (another edition, a form in place of JSON) is an example with a `variant`,
in `ALSO = (...)` of any test module here; the same tests run over it, but for the kill test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qsl

from kit.money import Money
from payments.providers.base import Inbound, Keys

SHOP = "https://shop.example"


def token_of(code: str, variant: str = "") -> str:
    """The token of the account that stands for the platform, or for a second format of it."""
    return f"token-{code}-{variant}".rstrip("-")


def url_of(code: str, variant: str = "") -> str:
    """The callback URL of that account where PUBLIC_URL is `SHOP`."""
    return f"{SHOP}/callbacks/{code}/{token_of(code, variant)}/"


def minor(amount: Decimal, places: int) -> int:
    """Whole minor units, as most platforms write amounts."""
    return int(amount.scaleb(places))


@dataclass(frozen=True, slots=True)
class Sale:
    """A payment as the platform's customer made it."""

    ref: str
    money: Money
    at: datetime
    member_code: str = ""
    order_ref: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """A refund, chargeback or reversal: `amount` of this one, `so_far` of all of its kind.

    A reversal has the `ref` and `amount` of the chargeback that it takes back.
    """

    sale: Sale
    ref: str
    amount: Decimal
    so_far: Decimal
    at: datetime


@dataclass(frozen=True)
class Example:
    """keys: an account that takes these posts; the posts, None where the platform sends none.

    Posts are signed at the moment of their effect (`at`), which is the `now` to verify them with.

    variant:        a word for a second format of the platform; each is an account of its own
    currencies:     two that the platform settles in, if it knows two
    signed_headers: the headers that its signature reads, for hostile tests
    form_is_loose:  its signature covers decoded form values, not bytes
    later:          posts that tell of a payment's other states, before or after it was paid, and
                    move no money; of a platform that only hints, its answers
    besides:        further posts that move money; hostile tests change them too
    resign:         signs a post anew, after its body was changed, at a moment; whoever signs
                    gives this and other_keys
    vouched:        what a signature vouches for, if it is neither bytes nor a form: two posts with
                    equal ones are the same notice
    other_keys:     another account at the same platform, with keys of its own
    answer:         of a platform whose `payment` is but a hint: what it answers our own query
    known_as:       its number of the payment that a test calls so, if it cannot be the same
    """

    code: str
    keys: Keys
    payment: Callable[[Sale], Inbound]
    refund: Callable[[Correction], Inbound] | None = None
    chargeback: Callable[[Correction], Inbound] | None = None
    reversal: Callable[[Correction], Inbound] | None = None
    variant: str = ""
    currencies: tuple[str, ...] = ("HKD",)
    signed_headers: tuple[str, ...] = ()
    form_is_loose: bool = False
    later: tuple[Callable[[Sale], Inbound], ...] = ()
    besides: tuple[Callable[[Correction], Inbound], ...] = ()
    resign: Callable[[Inbound, datetime], Inbound] | None = None
    vouched: Callable[[Inbound], object] | None = None
    other_keys: Keys | None = None
    answer: Callable[[Sale], Inbound] | None = None
    known_as: Callable[[str], str] = str

    @property
    def name(self) -> str:
        return f"{self.code}-{self.variant}".rstrip("-")

    @property
    def token(self) -> str:
        return token_of(self.code, self.variant)

    def what_is_vouched_for(self, post: Inbound) -> object:
        if self.vouched:
            return self.vouched(post)
        headers = {name: post.headers.get(name, "").split() for name in self.signed_headers}
        return headers, form_values(post.body) if self.form_is_loose else post.body


def form_values(body: bytes) -> list[tuple[str, str]]:
    """The fields of a form in order of their names, whatever way their bytes were escaped."""
    text = body.decode("latin-1")
    return sorted(parse_qsl(text, keep_blank_values=True, encoding="latin-1"))


@cache
def all_examples() -> dict[str, Example]:
    """Every platform that tests can play, by its code."""
    found = [getattr(module, "EXAMPLE", None) for module in _test_modules()]
    return {example.code: example for example in found if isinstance(example, Example)}


@cache
def all_formats() -> dict[str, Example]:
    """Every platform that tests can play, and each of its second formats, by their names."""
    also = [example for module in _test_modules() for example in getattr(module, "ALSO", ())]
    return {example.name: example for example in (*all_examples().values(), *also)}


def _test_modules() -> list[ModuleType]:
    names = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))
    return [import_module(f"tests.payments.providers.{name}") for name in names]
