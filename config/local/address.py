"""Where the database and the broker are. Computes only: starts nothing, opens nothing."""

import hashlib
import os
import pwd
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue
from psycopg.conninfo import make_conninfo

DATABASE = "regulars"
OWNER_ROLE = "regulars_owner"
RUNTIME_ROLE = "regulars"

# Not tempfile.gettempdir(): TMPDIR may differ from one process to the next.
SOCKETS = Path("/tmp")  # noqa: S108 - each folder in it is checked to be ours.

TASK_QUEUE = "celery"
# A task that runs longer is stopped; the broker hands out its message again a little later.
TASK_MINUTES = 30


def databases(env: environ.Env, data_dir: Path) -> dict[str, dict[str, Any]]:
    """Django's DATABASES: DATABASE_URL, or the PostgreSQL that comes with us under `data_dir`.

    Everything runs as the runtime role; DATABASE_ROLE=owner is for migrations and grants.
    """
    as_owner = env("DATABASE_ROLE", default="runtime") == "owner"
    if url := env("DATABASE_URL", default=""):
        if as_owner:
            url = env("DATABASE_OWNER_URL", default="") or url
        database = dict(env.db_url_config(url))
    else:
        database = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": DATABASE,
            "USER": OWNER_ROLE if as_owner else RUNTIME_ROLE,
            "HOST": str(socket_folder(data_dir)),
        }
    options = {
        "application_name": "regulars " + env("PROCESS_NAME", default="command"),
        "connect_timeout": 5,
    }
    database["OPTIONS"] = options | database.get("OPTIONS", {})
    database |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    return {"default": database}


def runtime_role(env: environ.Env) -> str:
    """The role to which `manage.py prepare` grants what running needs."""
    url = env("DATABASE_URL", default="")
    return str(env.db_url_config(url)["USER"]) if url else RUNTIME_ROLE


def is_bundled(database: dict[str, Any]) -> bool:
    return Path(str(database.get("HOST", ""))).name.startswith("regulars-")


def socket_folder(data_dir: Path) -> Path:
    """A folder whose path is short enough for a socket, the same for every process.

    `config.local.server` makes it, with mode 0700. A stranger who was faster must not be talked
    to: he would be handed every query.
    """
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    folder = SOCKETS / f"regulars-{digest}"
    if folder.is_symlink() or (folder.exists() and folder.stat().st_uid not in _our_accounts()):
        raise ImproperlyConfigured(
            f"{folder} belongs to somebody else. Remove it, or choose another DATA_DIR."
        )
    return folder


def ordinary_account() -> pwd.struct_passwd:
    """The account that stands in for root, as whom PostgreSQL refuses to run."""
    accounts = [entry for entry in pwd.getpwall() if entry.pw_uid != 0]
    return next((entry for entry in accounts if entry.pw_name == "nobody"), accounts[-1])


def _our_accounts() -> set[int]:
    user = os.geteuid()
    return {user} if user else {user, ordinary_account().pw_uid}


def celery(env: environ.Env, database: dict[str, Any]) -> dict[str, Any]:
    """Celery's settings. The broker is CELERY_BROKER_URL, or queues in our own PostgreSQL."""
    broker = env("CELERY_BROKER_URL", default="")
    return {
        "broker_url": broker or "pgmq://localhost",
        "broker_transport_options": _broker_options(database) if not broker else _patience(),
        "task_queues": None if broker else [Queue(TASK_QUEUE, no_declare=True)],
        "task_default_queue": TASK_QUEUE,
        "broker_connection_timeout": 4,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_pool_limit": 2,
        # Whoever queues work has a request to answer: one more try, then the error.
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.2},
        "task_ignore_result": True,
        "result_expires": None,  # Else beat adds a job that clears results away.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_time_limit": TASK_MINUTES * 60,
        "task_soft_time_limit": TASK_MINUTES * 60 - 30,
        "worker_concurrency": 1,
        "worker_prefetch_multiplier": 1,
        "worker_enable_remote_control": False,
        "worker_hijack_root_logger": False,
        "enable_utc": True,
        "timezone": env("TIME_ZONE", default="Asia/Hong_Kong"),
        # The schedule is rows that staff may edit; entries here would overwrite them.
        "beat_scheduler": "django_celery_beat.schedulers:DatabaseScheduler",
        "beat_schedule": {},
        "CELERY_DB_REUSE_MAX": 500,
    }


def _patience() -> dict[str, Any]:
    return {"visibility_timeout": (TASK_MINUTES + 5) * 60}


def _broker_options(database: dict[str, Any]) -> dict[str, Any]:
    """kombu's pgmq transport on `database`, without anything that takes an owner's rights.

    `manage.py prepare` makes the schema and the queue. Notifications stay off: kombu would make
    their trigger anew, under an exclusive lock and as the table's owner, whenever a worker
    starts; a worker asks once a second instead.
    """
    return _patience() | {
        "conn_string": conninfo(database),
        "init_extension": False,
        "pool_size": 2,
        "pool_timeout": 1,
        "wait_time_seconds": 0,
        "polling_interval": 1.0,
        "use_notify": False,
    }


def conninfo(database: dict[str, Any]) -> str:
    """A connection string that the pgmq client survives.

    It takes the string apart, keeps five fields, and joins them again unquoted. So each value is
    quoted once more, and what it would drop (sslmode, search_path …) rides behind the password.
    """
    fields = {
        "host": database.get("HOST") or "localhost",
        "port": database.get("PORT") or 5432,
        "dbname": database["NAME"],
        "user": database.get("USER") or "",
    }
    kept = {name: _quoted(str(value)) for name, value in fields.items()}
    options = {
        name: value
        for name, value in database.get("OPTIONS", {}).items()
        if name in _LIBPQ_OPTIONS
    }
    riders = [f"{name}={_quoted(str(value))}" for name, value in options.items()]
    password = _quoted(str(database.get("PASSWORD") or ""))
    return make_conninfo(**kept, password=" ".join([password, *riders]))


_LIBPQ_OPTIONS = {
    "application_name", "channel_binding", "connect_timeout", "keepalives", "keepalives_idle",
    "options", "sslcert", "sslkey", "sslmode", "sslrootcert", "target_session_attrs",
}  # fmt: skip


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
