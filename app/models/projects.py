"""Projects and users: who sees and does what where."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Created, Json, TextKey, one_of

DEFAULT_PROJECT = "default"
PEOPLE = ["viewer", "operator", "admin"]


class Project(Base):
    """What a group of people works on. Runs, datasets and labels belong to one; its id is its name."""

    __tablename__ = "projects"
    __table_args__ = (
        CheckConstraint("max_running >= 1", "max_running"),
        CheckConstraint("max_active >= 1", "max_active"),
    )

    id: Mapped[TextKey]
    description: Mapped[str] = mapped_column(server_default="")
    max_running: Mapped[int | None]
    """Runs that workers may have at a time; None: as many as there is room for."""
    max_running_by_pool: Mapped[Json]
    """The same for single pools."""
    max_active: Mapped[int | None]
    """Runs without a parent that may wait or run; the next launch is refused. None: any number."""
    created_by: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Created]


class User(Base):
    """A person. `is_admin`: the role admin in all projects, and over projects and users."""

    __tablename__ = "users"

    id: Mapped[TextKey]
    name: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str | None]
    is_admin: Mapped[bool] = mapped_column(server_default="false")
    created_by: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Created]
    disabled_at: Mapped[datetime | None]


class Membership(Base):
    """A user's role in a project."""

    __tablename__ = "memberships"
    __table_args__ = (CheckConstraint(one_of("role", PEOPLE), "role"),)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    project: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str]


def project_key(primary: bool = False) -> Mapped[str]:
    """A column that names the project of a row; a project with rows cannot be deleted."""
    return mapped_column(ForeignKey("projects.id"), primary_key=primary, server_default=DEFAULT_PROJECT)
