"""COPY in Postgres' binary format, from and into arrays.

It belongs to the session's transaction once that has run another statement: SQLAlchemy begins it no sooner.

Rows of numbers have a fixed length, so that an array of rows is the format itself: nothing is converted one by one.
https://www.postgresql.org/docs/current/sql-copy.html
"""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.ext.asyncio import AsyncSession

EPOCH_SECONDS = 946_684_800
"""Times are microseconds since the year 2000."""
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL = b"\xff\xff"


def row_type(**fields: str) -> "np.dtype[Any]":
    """A row of these fields, none of them NULL: `i8` for bigint and timestamptz, `f8` for double precision."""
    parts = [part for name, kind in fields.items() for part in ((f"{name}_bytes", ">i4"), (name, f">{kind}"))]
    return np.dtype([("num_fields", ">i2"), *parts])


async def copy_in(session: AsyncSession, table: str, kind: "np.dtype[Any]", **columns: NDArray[Any]) -> None:
    """Append rows to a table; the columns' names are the table's."""
    rows = np.empty(len(next(iter(columns.values()))), kind)
    rows["num_fields"] = len(columns)
    for name, values in columns.items():
        rows[name] = values
        rows[f"{name}_bytes"] = rows.dtype[name].itemsize
    content = io.BytesIO(_HEAD + rows.tobytes() + _TAIL)
    driver = await _driver(session)
    await driver.copy_to_table(table, source=content, columns=list(columns), format="binary")


async def copy_out(session: AsyncSession, kind: "np.dtype[Any]", query: str, *arguments: Any) -> NDArray[Any]:
    """The rows of a query with `$1`, `$2`, ... (arguments cost a question more); its columns are the row's fields."""
    content = io.BytesIO()
    driver = await _driver(session)
    await driver.copy_from_query(query, *arguments, output=content, format="binary")
    num_rows = (content.tell() - len(_HEAD) - len(_TAIL)) // kind.itemsize
    return np.frombuffer(content.getvalue(), kind, num_rows, len(_HEAD))


async def _driver(session: AsyncSession) -> Any:
    """asyncpg's own connection: SQLAlchemy has no word for COPY."""
    connection = await session.connection()
    return (await connection.get_raw_connection()).driver_connection
