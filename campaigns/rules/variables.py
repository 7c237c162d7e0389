"""The variables of message texts: `{{ name }}` and nothing more, and never silently empty."""

import re
from collections.abc import Mapping
from typing import Final

# Those that a campaign without a coupon has nothing to fill in for.
OF_COUPON: Final = frozenset({"coupon", "coupon_code", "valid_until"})
VARIABLES: Final = OF_COUPON | {"name", "tier", "page", "points", "store"}

_VARIABLE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_BRACES: Final = re.compile(r"\{\{|\}\}|\{%|%\}")


class StrayBraces(ValueError):
    """Braces that are not around the name of one variable."""


class VariableMissing(ValueError):
    """A variable has no value for this member; its name is the argument."""


def variables_in(text: str) -> frozenset[str]:
    """The names between braces, known or not; raises StrayBraces."""
    if _BRACES.search(_VARIABLE.sub("", text)):
        raise StrayBraces
    return frozenset(_VARIABLE.findall(text))


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with each variable's value, read once: what a value contains stays as it is.

    Raises StrayBraces, or VariableMissing where a value is not there or blank.
    """
    for name in sorted(variables_in(text)):
        if not values.get(name, "").strip():
            raise VariableMissing(name)
    return _VARIABLE.sub(lambda found: values[found[1]], text)
