"""Behind `make check`: everything that can be known about the code without running its tests."""

import base64
import os
import secrets
import subprocess
import sys

_PYTHON = [sys.executable, "-m"]
_LINT_IMPORTS = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
_MANAGE = [sys.executable, "manage.py"]
# A production start as it should be: `check --deploy` is about that, not about this machine.
_PRODUCTION = {
    "PRODUCTION": "1",
    "SECRET_KEY": secrets.token_urlsafe(48),
    "ENCRYPTION_KEYS": "check:" + base64.b64encode(secrets.token_bytes(32)).decode(),
    "DATABASE_URL": "postgres://regulars@localhost/regulars",
    "ALLOWED_HOSTS": "regulars.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://regulars.example.com",
    "PUBLIC_URL": "https://regulars.example.com",
    "EMAIL_URL": "smtp+tls://regulars:secret@mail.example.com:587",
    "DEFAULT_FROM_EMAIL": "Tea <offers@tea.example>",
}
_CHECKS: dict[str, tuple[list[str], dict[str, str]]] = {
    "lint": ([*_PYTHON, "ruff", "check", "."], {}),
    "format": ([*_PYTHON, "ruff", "format", "--check", "."], {}),
    "types": ([*_PYTHON, "mypy", "--explicit-package-bases", "."], {}),
    "imports": ([sys.executable, "-c", _LINT_IMPORTS], {}),
    "migrations": (
        # It would like to ask a database about its history, and warns if none is running.
        [sys.executable, "-W", "ignore", "manage.py", "makemigrations", "--check", "--dry-run"],
        {},
    ),
    "translations": ([*_MANAGE, "check_translations"], {}),
    "deployment": ([*_MANAGE, "check", "--deploy", "--fail-level", "WARNING"], _PRODUCTION),
}


def main() -> None:
    failed = []
    for name, (command, environment) in _CHECKS.items():
        print(f"--- {name}", flush=True)
        if subprocess.run(command, env={**os.environ, **environment}, check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")
    print("All checks passed.")


if __name__ == "__main__":
    main()
