"""What tests of merges stand on."""

from collections.abc import Iterator

import pytest
import time_machine
from django.core.cache import cache

from tests.build import NOON


@pytest.fixture
def noon() -> Iterator[None]:
    """Pages read the clock."""
    cache.clear()
    with time_machine.travel(NOON, tick=False):
        yield
    cache.clear()
