"""What commands need of the service: a connection, and the error that ends a command with its words."""

from app.connection import Connection as Client
from app.connection import ServiceError as CommandError
from app.connection import connect

__all__ = ["Client", "CommandError", "connect"]
