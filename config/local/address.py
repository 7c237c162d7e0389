"""Where the database and the broker are. Computes only: starts nothing, opens nothing."""

from pathlib import Path
from typing import Any

import environ


def databases(env: environ.Env, data_dir: Path) -> dict[str, dict[str, Any]]:
    """Django's DATABASES: DATABASE_URL, or the PostgreSQL that comes with us under `data_dir`."""
    return {"default": env.db("DATABASE_URL")}


def celery(env: environ.Env, database: dict[str, Any]) -> dict[str, Any]:
    return {}
