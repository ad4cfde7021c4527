"""`python -m migrations upgrade head | downgrade -1 | revision "what changes"` on HEADRACE_DATABASE_URL."""

import sys

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url

from app.db import migrate, migrations_folder, plain_url
from app.settings import settings


def main(arguments: list[str]) -> int:
    """Exit code 2 on wrong usage, 1 when the database cannot be reached."""
    match arguments:
        case ["upgrade" | "downgrade" as direction]:
            argument = "head" if direction == "upgrade" else "-1"
        case ["upgrade" | "downgrade" | "revision" as direction, argument]:
            pass
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    try:
        url = make_url(plain_url(settings())).set(drivername="postgresql+psycopg")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    engine = create_engine(url, connect_args={"connect_timeout": 5})
    with engine.connect() as connection:
        if direction == "revision":
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", "migrations:")
            number = 1 + max((int(p.name[:4]) for p in (migrations_folder() / "versions").glob("[0-9]*.py")), default=0)
            command.revision(config, argument, autogenerate=True, rev_id=f"{number:04d}")
        else:
            migrate(connection, argument)
            connection.commit()
    print(f"the schema is at {argument}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
