"""First import of the process that workers are forked from: it is to end with the one that started it."""

from workers.curation.engine.local import end_with_parent

end_with_parent()
