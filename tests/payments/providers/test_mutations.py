"""Thousands of changed posts: every platform answers each, and takes no forgery for genuine.

MUTATIONS=100000 runs as many; MUTATION_SEED chooses others. A failure names the post's recipe.
"""

import logging
import os
import resource
from collections import Counter
from datetime import timedelta
from decimal import Decimal

from kit.money import LARGEST
from payments.providers import all_providers
from payments.providers.base import (
    Hint,
    Ignored,
    MalformedPayload,
    Notice,
    Rejected,
    Verified,
)
from tests.payments.providers.example import all_formats
from tests.payments.providers.mutation import NOON, Mutant, mutants, vouched_for

logger = logging.getLogger(__name__)

MUTATIONS = int(os.environ.get("MUTATIONS", "3000"))
SEED = int(os.environ.get("MUTATION_SEED", "1"))
MOST_GROWTH = 64 * 1024  # KiB of resident memory, over the whole run.

_TEXTS = ("payment_ref", "effect_ref", "order_ref", "member_code", "store_code", "method")


def verdict_of(mutant: Mutant) -> Verified | Rejected | Hint:
    provider, example = all_providers()[mutant.example.code], mutant.example
    verdict = provider.verify(mutant.post, example.keys, NOON)
    if example.other_keys is not None and example.answer is None:
        assert isinstance(provider.verify(mutant.post, example.other_keys, NOON), Rejected)
    return verdict


def check_reading(mutant: Mutant) -> str:
    try:
        found = all_providers()[mutant.example.code].read(mutant.post, mutant.example.keys)
    except MalformedPayload:
        return "malformed"
    if isinstance(found, Ignored):
        return "ignored"
    for notice in found:
        check_notice(notice)
    return "notices"


def check_notice(notice: Notice) -> None:
    """What the database and the books can take."""
    assert 0 < notice.amount.amount < LARGEST
    assert isinstance(notice.amount.amount, Decimal)
    assert notice.occurred_at.utcoffset() == timedelta(0)
    texts = [getattr(notice, name) for name in _TEXTS] + [clue.value for clue in notice.clues]
    for text in texts:
        assert len(text) <= 254
        assert not any(character < " " or "\ud800" <= character <= "\udfff" for character in text)
    assert 0 < len(notice.payment_ref) <= 100
    assert 0 < len(notice.effect_ref) <= 100


def memory() -> int:
    """The most that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_changed_posts_are_answered_and_none_is_taken_for_genuine() -> None:
    examples = all_formats()
    vouched = {name: vouched_for(example) for name, example in examples.items()}
    outcomes: Counter[tuple[str, str]] = Counter()
    mutant, before = None, 0

    try:
        for number, mutant in enumerate(mutants(examples, count=MUTATIONS, seed=SEED)):
            verdict, name = verdict_of(mutant), mutant.example.name
            if isinstance(verdict, Verified) and not mutant.is_resigned:
                assert mutant.example.what_is_vouched_for(mutant.post) in vouched[name]
            outcomes[name, type(verdict).__name__] += 1
            outcomes[name, check_reading(mutant)] += 1
            before = memory() if number == MUTATIONS // 10 else before
    finally:  # Shown where the test fails, or with --log-cli-level=INFO.
        logger.info("%s", "\n".join(f"{key}: {outcomes[key]}" for key in sorted(outcomes)))
        logger.info("memory grew by %d KiB; last: %.2000s", memory() - before, mutant)

    assert sum(outcomes.values()) == 2 * MUTATIONS
    for name, example in examples.items():
        # Some were genuine, changed where it does not matter or signed anew; some were forgeries.
        assert outcomes[name, "Verified" if example.answer is None else "Hint"] > 0
        assert outcomes[name, "Rejected"] > 0
    assert memory() - before < MOST_GROWTH
