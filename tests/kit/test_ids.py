from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import ids
from kit.ids import ALPHABET, check_character, is_valid_code, new_code, normal_code, uuid7

bodies = st.text(ALPHABET, min_size=2, max_size=12)


def test_ids_rise_and_differ_over_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        lists = list(pool.map(lambda _: [uuid7() for _ in range(2000)], range(8)))

    assert all(made == sorted(made) for made in lists)
    assert len({each for made in lists for each in made}) == 16000
    assert {(each.version, each.variant) for each in lists[0]} == {(7, "specified in RFC 4122")}


def test_ids_of_one_millisecond_rise_and_differ_from_those_of_a_process_forked_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ids, "_latest", 0)  # And back, when the clock goes on.
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
    before = uuid7()
    with get_context("fork").Pool(2) as pool:
        theirs = pool.map(_ids, [1000] * 8, chunksize=4)
    ours = _ids(1000)

    assert all(made == sorted(made) and made[0] > before for made in (*theirs, ours))
    assert len({each for made in (*theirs, ours) for each in made}) == 9000
    assert {(each.version, each.variant) for each in ours} == {(7, "specified in RFC 4122")}


def _ids(count: int) -> list[UUID]:
    return [uuid7() for _ in range(count)]


def test_new_codes_are_valid() -> None:
    assert all(is_valid_code(new_code("M"), "M") for _ in range(200))


@given(bodies, st.data())
def test_a_single_slip_is_caught(body: str, data: st.DataObject) -> None:
    code = body + check_character(body)
    place = data.draw(st.integers(0, len(code) - 1))
    other = data.draw(st.sampled_from(ALPHABET.replace(code[place], "")))

    assert is_valid_code(code)
    assert not is_valid_code(code[:place] + other + code[place + 1 :])


@pytest.mark.parametrize(
    ("typed", "code"), [(" m5vc-exm8 rx", "M5VCEXM8RX"), ("cOIL0", "C0110"), ("", "")]
)
def test_what_people_type_becomes_the_code(typed: str, code: str) -> None:
    assert normal_code(typed) == code
