"""Which of the languages that a campaign has texts in a member gets to read."""

from collections.abc import Collection


def language_chain(language: str, *, main: str) -> list[str]:
    """From the member's own to the programme's: zh-hant-hk, zh-hant, and then `main`.

    Never from one script of Chinese to the other by itself, so plain `zh` is not a step.
    """
    parts = language.lower().split("-")
    steps = ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    chain = [step for step in steps if step != "zh"]
    return list(dict.fromkeys([*chain, main.lower()]))


def choose_language(language: str, written: Collection[str], *, main: str) -> str | None:
    """The first of the chain that a text is written in; None if there is none."""
    return next((step for step in language_chain(language, main=main) if step in written), None)
