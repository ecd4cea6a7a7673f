"""What must come before all other imports: Ctrl-C while blob-zero's own command is still importing.

The imports take seconds, nothing is at stake yet, and a traceback through them helps nobody. So for that time
the system's own answer to Ctrl-C holds: the process ends at once, in silence, by the signal. Other programs that import
blob_zero keep the handlers they have.
"""

import signal
import sys
from pathlib import Path

_COMMAND = "blob-zero"

if Path(sys.argv[0] if sys.argv else "").stem == _COMMAND and (
    signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
