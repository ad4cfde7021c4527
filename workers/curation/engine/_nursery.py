"""First import of the process that workers are forked from: it is to end with the one that started it."""

import os

from workers.parent import die_with_parent

die_with_parent(os.getppid())
