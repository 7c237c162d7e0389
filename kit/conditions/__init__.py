"""One language for earning rules, coupons, segments and triggers: one tree, two compilers.

What staff pick in the rule builder is a tree of groups (all, any, none) and rules (field,
operator, value), stored as JSON. `matches` judges facts already in memory, `to_q` picks rows in
the database, `sentence` says it in words. Both compilers are two-valued: a rule about something
unknown (NULL, or blank text) is false whatever its operator, save "is empty"; "none of" negates
that false into true. A day is a day in the `zone` that the caller names.
"""

from kit.conditions.fields import (
    Field,
    Kind,
    MoneyColumns,
    Operator,
    Registry,
    RelatedRows,
)
from kit.conditions.matching import Leaf, Verdict, matches
from kit.conditions.queries import to_q
from kit.conditions.sentences import explain, sentence
from kit.conditions.tree import (
    ALWAYS,
    BadTreeError,
    ConditionError,
    Group,
    NotQueryableError,
    Rule,
    TooDeepError,
    TooLargeError,
    UnknownFieldError,
    UnknownOperatorError,
    WrongValueError,
    parse,
    validate,
)

__all__ = [
    "ALWAYS",
    "BadTreeError",
    "ConditionError",
    "Field",
    "Group",
    "Kind",
    "Leaf",
    "MoneyColumns",
    "NotQueryableError",
    "Operator",
    "Registry",
    "RelatedRows",
    "Rule",
    "TooDeepError",
    "TooLargeError",
    "UnknownFieldError",
    "UnknownOperatorError",
    "Verdict",
    "WrongValueError",
    "explain",
    "matches",
    "parse",
    "sentence",
    "to_q",
    "validate",
]
