"""Where the database and the broker are, from nothing but the environment."""

from pathlib import Path

import environ
import pytest
from psycopg.conninfo import conninfo_to_dict

from config.local import address


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_ROLE", "CELERY_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)


def found(data_dir: Path = Path("/srv/regulars")) -> dict[str, object]:
    return address.databases(environ.Env(), data_dir)["default"]


def test_without_a_url_it_is_the_bundled_server() -> None:
    database = found()

    assert database["USER"] == "regulars"
    assert database["CONN_MAX_AGE"] == 60
    assert address.is_bundled(database)


def test_the_owner_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_ROLE", "owner")

    assert found()["USER"] == "regulars_owner"


def test_a_hosted_database_has_two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://web:one@db.example/shop?sslmode=require")
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgres://boss:two@db.example/shop")

    as_runtime = found()
    monkeypatch.setenv("DATABASE_ROLE", "owner")
    as_owner = found()

    assert (as_runtime["USER"], as_owner["USER"]) == ("web", "boss")
    assert not address.is_bundled(as_runtime)
    assert address.runtime_role(environ.Env()) == "web"


@pytest.mark.parametrize("folder", ["/a", "/" + "很長的路徑 " * 40])
def test_the_socket_folder_is_short_and_always_the_same(folder: str) -> None:
    socket = address.socket_folder(Path(folder)) / ".s.PGSQL.5432"

    assert len(bytes(socket)) <= 107
    assert socket.parent == address.socket_folder(Path(folder))
    assert socket.parent != address.socket_folder(Path(folder + "b"))


def test_a_link_in_place_of_the_socket_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "SOCKETS", tmp_path)
    address.socket_folder(tmp_path).symlink_to("/etc")

    with pytest.raises(Exception, match="belongs to somebody else"):
        address.socket_folder(tmp_path)


def test_the_broker_is_the_same_database() -> None:
    database = found()
    options = address.celery(environ.Env(), database)["broker_transport_options"]

    assert options["pool_timeout"] == 1
    assert options["init_extension"] is False
    assert str(database["HOST"]) in options["conn_string"]


def test_another_broker_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://localhost/3")
    settings = address.celery(environ.Env(), found())

    assert settings["broker_url"] == "redis://localhost/3"
    assert "conn_string" not in settings["broker_transport_options"]
    assert settings["task_queues"] is None


def test_the_connection_string_survives_being_taken_apart_and_joined_unquoted() -> None:
    database = {
        "HOST": "/run/with space",
        "NAME": "shop",
        "USER": "web",
        "PASSWORD": r"it's \ here",
        "OPTIONS": {"sslmode": "require", "options": "-c search_path=acme", "pool": True},
    }

    parts = conninfo_to_dict(address.conninfo(database))
    joined = " ".join(f"{name}={value}" for name, value in parts.items())

    assert conninfo_to_dict(joined) == {
        "host": "/run/with space",
        "port": "5432",
        "dbname": "shop",
        "user": "web",
        "password": r"it's \ here",
        "sslmode": "require",
        "options": "-c search_path=acme",
    }
