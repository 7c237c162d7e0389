"""What can be wrong with a condition; the message is a sentence for the person who edits it."""


class ConditionError(ValueError):
    """`path` leads to the culprit: places in the groups, from the outermost in."""

    def __init__(self, message: str, *, path: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


class BadTreeError(ConditionError):
    """Not a group of conditions at all, or an empty group inside another."""


class UnknownFieldError(ConditionError):
    """A field that this subject does not have."""


class UnknownOperatorError(ConditionError):
    """An operator that this field does not have."""


class WrongValueError(ConditionError):
    """A value of another type, out of range, or no longer offered."""


class TooDeepError(ConditionError):
    """Groups within groups beyond what a person can follow."""


class TooLargeError(ConditionError):
    """More rules than a person can follow."""


class NotQueryableError(ConditionError):
    """A field that only facts have was asked of the database."""
