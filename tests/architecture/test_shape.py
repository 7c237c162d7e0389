"""The numbers that we hold ourselves to."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.providers import all_providers

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST_FILE, LONGEST_FUNCTION = 400, 70


def our_files() -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if "/migrations/" not in name and (ROOT / name).exists():
            yield ROOT / name


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="It asks git which files are ours.")
def test_no_file_is_longer_than_400_lines_and_no_function_than_70() -> None:
    too_long = []
    for path in our_files():
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > LONGEST_FILE:
            too_long.append(f"{path.relative_to(ROOT)}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    too_long.append(f"{path.relative_to(ROOT)}: {node.name} has {lines} lines")

    assert too_long == []


@pytest.mark.parametrize("code", list(all_providers()))
def test_every_platform_has_payloads_and_a_test_module_of_its_own(code: str) -> None:
    assert list((ROOT / "tests" / "payloads" / code).glob("*.json"))
    assert (ROOT / "tests" / "payments" / "providers" / f"test_{code}.py").exists()


def test_points_move_only_through_the_ledger() -> None:
    """`Transfer` rows are written where lots are kept in step with them, and nowhere else."""
    writers = {
        path.relative_to(ROOT).as_posix()
        for path in our_files()
        if "tests" not in path.parts
        and re.search(r"(?<!class )\bTransfer(\.new)?\(", path.read_text(encoding="utf-8"))
    }

    ours = ("ledger", "expire", "merging")
    assert writers == {f"loyalty/services/{name}.py" for name in ours}
