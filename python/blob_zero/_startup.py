"""What must come before all other imports, in blob-zero's own command alone; other programs keep what they have.

Ctrl-C while the command is still importing: the imports take seconds, nothing is at stake yet, and a traceback through
them helps nobody. So for that time the system's own answer to Ctrl-C holds: the process ends at once, in silence, by
the signal.

How long PyTorch's threads on a CPU spin before they sleep, which OpenMP reads when it is loaded: by default so long
that training beside another busy process falls to a fraction of its speed, each thread waiting for one that waits for a
core. A thousand turns keep 0.96 of the speed alone, and gave 2.2 times that of the default with two processes on two
cores (docs/LOG.md).
"""

import os
import signal
import sys
from pathlib import Path

_COMMAND = "blob-zero"

if Path(sys.argv[0] if sys.argv else "").stem == _COMMAND:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
