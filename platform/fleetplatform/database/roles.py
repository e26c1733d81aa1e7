"""The database's five roles: what each may do, made once, checked at every start.

iot_owner owns everything and nobody logs in as it; sessions of iot_migrator act as it. The other
three are the platform's processes.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import asyncpg

from fleetplatform.database import passwords
from fleetplatform.database.address import database_of, server_of, with_login
from fleetplatform.database.passwords import PasswordFile
from fleetplatform.database.queries import load
from fleetplatform.errors import DatabaseError

OWNER = "iot_owner"
MIGRATOR = "iot_migrator"
CONNECT_TIMEOUT_S = 10.0

_queries: Any = load(__file__)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a role may do; no role is superuser, makes roles or databases, or replicates."""

    can_login: bool
    bypasses_row_security: bool


ROLES: Mapping[str, Attributes] = MappingProxyType(
    {
        OWNER: Attributes(can_login=False, bypasses_row_security=True),
        MIGRATOR: Attributes(can_login=True, bypasses_row_security=False),
        "iot_ingest": Attributes(can_login=True, bypasses_row_security=True),
        "iot_worker": Attributes(can_login=True, bypasses_row_security=False),
        "iot_api": Attributes(can_login=True, bypasses_row_security=False),
    }
)
LOGINS = tuple(name for name, wanted in ROLES.items() if wanted.can_login)
SERVICES = tuple(name for name in LOGINS if name != MIGRATOR)


async def ensure_roles(conn: asyncpg.Connection, url: str) -> dict[str, str]:
    """Make the roles, or make them right; returns the passwords of those that log in.

    Passwords kept from an earlier start are used again; where they are lost, all get new ones.
    """
    file = PasswordFile(server_of(url))
    async with file.held():
        found = {
            row["rolname"]: row
            async for row in _queries.role_attributes(conn, names=list(ROLES))
        }
        kept = file.read()
        usable = set(kept) >= set(LOGINS) and await _log_in(url, kept, found)
        chosen = kept if usable else {name: passwords.generate() for name in LOGINS}
        if not usable:
            file.write(chosen)
        for name, wanted in ROLES.items():
            if name not in found:
                await _state(conn, "create", name, wanted)
            elif _attributes(found[name]) != wanted:
                await _state(conn, "alter", name, wanted)
            if name in chosen and not usable:
                await _set_password(conn, name, chosen[name])
        await conn.execute(f"grant {OWNER} to {MIGRATOR}")
        await conn.execute(f"alter role {MIGRATOR} set role = {OWNER}")
    await _keep_parameters_out_of_logs(conn)
    return chosen


async def _keep_parameters_out_of_logs(conn: asyncpg.Connection) -> None:
    """Encryption keys are bind parameters; who may not say so leaves it to the log's warning."""
    found = [row async for row in _queries.parameters_logged(conn, names=list(LOGINS))]
    for row in found:
        with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
            await conn.execute(f"alter role {row['rolname']} set {row['setting']} = 0")


async def check_session(conn: asyncpg.Connection, role: str) -> None:
    """Refuse to work as another role, or as one that may do more or less than it must."""
    row = await _queries.session_attributes(conn)
    if row["rolname"] != role:
        raise DatabaseError(f"logged in as {row['rolname']}, but this process must be {role}")
    if _attributes(row) != ROLES[role]:
        raise DatabaseError(
            f"the database role {role} has not the attributes that it must have"
            f" ({_clauses(ROLES[role])}): prepare the database again"
        )


def _attributes(row: Mapping[str, Any]) -> Attributes | None:
    """A role's attributes; None when it has one that no role of ours may have."""
    if any(row[name] for name in ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication")):
        return None
    return Attributes(row["rolcanlogin"], row["rolbypassrls"])


def _clauses(wanted: Attributes) -> str:
    login = "login" if wanted.can_login else "nologin"
    bypass = "bypassrls" if wanted.bypasses_row_security else "nobypassrls"
    return f"{login} {bypass} nosuperuser nocreaterole nocreatedb noreplication"


async def _state(conn: asyncpg.Connection, verb: str, name: str, wanted: Attributes) -> None:
    await conn.execute(f"{verb} role {name} with {_clauses(wanted)}")


async def _set_password(conn: asyncpg.Connection, name: str, password: str) -> None:
    statement = await _queries.role_statement(
        conn,
        template="alter role %I with password %L",
        name=name,
        verifier=passwords.scram_verifier(password),
    )
    await conn.execute(statement)


async def _log_in(url: str, kept: Mapping[str, str], found: Mapping[str, Any]) -> bool:
    """Whether the kept passwords are those of the server's roles."""
    if not set(found) >= set(LOGINS):
        return False
    for name in LOGINS:
        login = with_login(url, name, kept[name], database_of(url))
        try:
            conn = await asyncpg.connect(login, timeout=CONNECT_TIMEOUT_S)
        except asyncpg.InvalidAuthorizationSpecificationError:
            return False
        except asyncpg.InsufficientPrivilegeError:
            continue  # the password was right; the database is closed to the role
        await conn.close()
    return True
