"""What was asked for and takes time."""

from fastapi import APIRouter, Depends

from app.routes.deps import DatabaseOf, require
from app.run_schemas import OperationStatus
from app.services import deletion

router = APIRouter(prefix="/api/v1/operations", tags=["operations"], dependencies=[Depends(require("viewer"))])


@router.get("/{operation_id}", operation_id="get_operation", summary="How far an operation is")
async def get_operation(operation_id: str, database: DatabaseOf) -> OperationStatus:
    """Finished operations are kept for 30 days."""
    return await deletion.status(database, operation_id)
