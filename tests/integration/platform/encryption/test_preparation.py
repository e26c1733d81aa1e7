"""What preparing a database does for encryption, also where pgcrypto is somebody else's."""

import asyncpg
import msgspec
import pytest
from structlog.testing import capture_logs

from fleetplatform.admin import DatabaseError, prepare_database
from fleetplatform.database.roles import LOGINS
from fleetplatform.encryption.logging import warn_of_logged_parameters


def _with_keys(settings):
    named = msgspec.structs.replace(settings.encryption, keys="keys", active="k")
    return msgspec.structs.replace(settings, encryption=named)


async def test_no_role_has_its_parameters_logged(prepared, owner):
    for name in LOGINS:
        url = (prepared.urls | {"iot_migrator": None}).get(name)
        if url is None:
            continue
        conn = await asyncpg.connect(url)
        assert await conn.fetchval("show log_parameter_max_length") == "0"
        assert await conn.fetchval("show log_parameter_max_length_on_error") == "0"
        await conn.close()
    rows = await owner.fetch(
        "select setrole::regrole::text as role, setconfig from pg_db_role_setting"
        " where setdatabase = 0"
    )
    found = {row["role"]: set(row["setconfig"]) for row in rows}
    assert all(found[name] >= {"log_parameter_max_length=0"} for name in LOGINS)


async def test_a_server_that_logs_parameters_is_named_in_the_log(
    prepared, platform_settings, pool_as, owner
):
    database = await owner.fetchval("select current_database()")
    quiet = await pool_as("iot_ingest")
    with capture_logs() as said:
        await warn_of_logged_parameters(quiet, "iot_ingest")
    assert said == []
    await owner.execute(
        f"alter role iot_ingest in database {database} set log_parameter_max_length = -1"
    )
    with capture_logs() as said:
        await warn_of_logged_parameters(await pool_as("iot_ingest"), "iot_ingest")
    (warning,) = said
    assert warning["settings"] == "log_parameter_max_length = 0"
    assert "ALTER ROLE iot_ingest" in warning["event"]


async def test_the_extension_of_somebody_else_serves_as_well(database_url, make_settings):
    conn = await asyncpg.connect(database_url)
    await conn.execute("create extension pgcrypto schema public")
    await prepare_database(database_url, _with_keys(make_settings()))
    await prepare_database(database_url, _with_keys(make_settings()))
    sealed = await conn.fetchval(
        "select iot.encrypt_sensor_value(1.5, 2.5, null, $1, now(), 'k', $2)",
        "00000000-0000-0000-0000-000000000001", bytes(32),
    )
    assert len(sealed) == 99
    await conn.close()


async def test_without_pgcrypto_only_keys_are_refused(database_url, make_settings):
    """An older table of that name in the schema's place stands for whatever keeps it away."""
    conn = await asyncpg.connect(database_url)
    await conn.execute(
        "create schema iot_crypto; create function iot_crypto.digest(text, text) returns bytea"
        " language sql return null::bytea"
    )
    await prepare_database(database_url, make_settings())
    with pytest.raises(DatabaseError, match="needs the extension pgcrypto, which PostgreSQL at"):
        await prepare_database(database_url, _with_keys(make_settings()))
    await conn.close()
