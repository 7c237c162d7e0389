"""What lies where in DATA_DIR."""

from pathlib import Path

ADMIN_NAME = "admin"


def admin_password_file(data_dir: Path) -> Path:
    return data_dir / "admin-password.txt"


def lock_file(data_dir: Path) -> Path:
    return data_dir / "run" / "supervisor.json"


def unfinished_demo_file(data_dir: Path) -> Path:
    """There while the demo merchant is being made; nobody has used the database yet."""
    return data_dir / "run" / "demo-unfinished"
