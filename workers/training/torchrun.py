"""torchrun that dies with the process that started it: `python -m workers.training.torchrun PARENT_PID ARGS...`"""

import sys

from torch.distributed.run import main

from workers.parent import die_with_parent

if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    main(sys.argv[2:])
