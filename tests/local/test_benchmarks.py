"""The benchmarks run from beginning to end; how fast is for them to say, not for a test."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STEPS = ("queries", "backlog", "rush")


def test_the_benchmarks_run_and_lose_nothing(tmp_path: Path) -> None:
    written = tmp_path / "results.json"

    subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--json", written, "--only", *STEPS],
        cwd=ROOT,
        check=False,  # It ends with 1 where a machine is too slow for what is wanted.
    )

    queries, backlog, rush = json.loads(written.read_text())
    assert queries["is_met"]
    assert backlog["figures"]["payments_per_s"] > 0
    assert rush["figures"]["lost"] == rush["figures"]["doubled"] == 0
