"""One file per resource: HTTP in, schemas out. No SQL, no Prefect."""
