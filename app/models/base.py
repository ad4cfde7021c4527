"""Base of all tables, column shorthands and identifiers."""

import secrets
import time
from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import BigInteger, DateTime, Float, Identity, MetaData, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

TextKey = Annotated[str, mapped_column(Text, primary_key=True)]
SerialKey = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True))]
Created = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now())]
Json = Annotated[dict[str, Any], mapped_column(JSONB, server_default=text("'{}'::jsonb"))]
JsonList = Annotated[list[Any], mapped_column(JSONB, server_default=text("'[]'::jsonb"))]


class Base(DeclarativeBase):
    """Base of all tables. Texts are TEXT, times carry a zone, whole numbers are 64 bits."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {str: Text, datetime: DateTime(timezone=True), int: BigInteger, float: Float(53)}


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id() -> str:
    """A ULID in lower case: 26 characters that sort by time of creation. https://github.com/ulid/spec"""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def one_of(column: str, values: list[str]) -> str:
    """SQL condition of a CHECK: the column has one of these values."""
    return f"{column} IN ({', '.join(repr(value) for value in values)})"
