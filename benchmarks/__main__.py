"""`make bench`, or `python -m benchmarks [--quick] [--only NAME …] [--json FILE]`."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import django

from benchmarks.place import Connection, cluster, superuser

NAMES = ("queries", "accept", "backlog", "latency", "rush")


def main() -> None:
    asked = _asked()
    os.umask(0o077)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    with cluster() as server:
        django.setup()
        with superuser(server) as owner:
            results = list(_measure(asked, owner))
    if asked.json:
        Path(asked.json).write_text(json.dumps(results, indent=2) + "\n")
    sys.exit(0 if all(result["is_met"] for result in results) else 1)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="Small sizes, to see that it runs.")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--json", default="", help="Write the results to this file too.")
    return parser.parse_args()


def _measure(asked: argparse.Namespace, owner: Connection) -> Iterator[dict[str, object]]:
    # These import models, so Django has to be up.
    from django.utils import timezone  # noqa: PLC0415

    from benchmarks import accept, backlog, filling, latency, queries, rush  # noqa: PLC0415
    from benchmarks.merchant import add_rules, make_merchant  # noqa: PLC0415
    from benchmarks.report import Result, as_json  # noqa: PLC0415

    is_quick = asked.quick
    filling.give_defaults(owner)
    merchant = make_merchant(members=2000 if is_quick else 20_000, now=timezone.now())
    rows, earlier = (2000, 20_000) if is_quick else (100_000, 1_000_000)

    def latencies() -> list[Result]:
        add_rules(now=timezone.now())
        filling.fill(merchant, owner, rows=earlier)
        return latency.measure(merchant, earlier=earlier, seconds=5 if is_quick else 60)

    steps: dict[str, Callable[[], list[Result]]] = {
        "queries": lambda: [queries.measure(merchant)],
        "accept": lambda: list(
            accept.measure(merchant, owner, rounds=3 if is_quick else 9, seconds=2)
        ),
        "backlog": lambda: [backlog.measure(merchant, owner, rows=rows)],
        "latency": latencies,
        "rush": lambda: [rush.measure(merchant, seconds=3 if is_quick else 10)],
    }
    for name in NAMES:
        if name not in asked.only:
            continue
        for result in steps[name]():
            print("\n".join(result.lines()), flush=True)
            yield from as_json([result])


if __name__ == "__main__":
    main()
