"""What must come before all other imports: Ctrl-C while blob-zero's own command is still importing.

The imports take seconds, nothing can be lost yet, and a traceback through them helps no user. Until they are done,
Ctrl-C has the system's default effect: the signal ends the process at once, in silence. Other programs that import
blob_zero keep their handlers.
"""

import signal
import sys
from pathlib import Path

_COMMAND = "blob-zero"

if Path(sys.argv[0] if sys.argv else "").stem == _COMMAND and (
    signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
