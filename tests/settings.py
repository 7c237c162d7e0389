"""The settings under test: a database and a DATA_DIR of their own, whatever the developer's are.

These lines run before Django reads anything, and in each process of a parallel run: the first
one chooses the folder, and the others inherit it. tests/conftest.py starts the server in it.
"""

import atexit
import os
import shutil
import tempfile

_given = os.environ.get("TEST_DATABASE_URL") or os.environ.get("DATABASE_URL")
if "TESTS_DATA_DIR" not in os.environ:
    os.environ["TESTS_DATA_DIR"] = tempfile.mkdtemp(prefix="regulars-tests-")
    atexit.register(shutil.rmtree, os.environ["TESTS_DATA_DIR"], ignore_errors=True)

os.environ |= {
    "DATA_DIR": os.environ["TESTS_DATA_DIR"],
    "DATABASE_ROLE": "owner",
    "DATABASE_URL": _given or "",
    "DATABASE_OWNER_URL": _given or "",
    "DEBUG": "0",
    "PRODUCTION": "0",
    "EMAIL_URL": "",
}

from config import settings as _settings  # noqa: E402 - the environment comes first.
from config.local import address  # noqa: E402

globals().update({name: value for name, value in vars(_settings).items() if name.isupper()})
# A given address names a superuser; the rights of a real installation are still tested.
DATABASE_RUNTIME_ROLE = address.RUNTIME_ROLE
