"""For all tests."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell without job control: children would inherit that, and no test could interrupt one.
    signal.signal(signal.SIGINT, signal.default_int_handler)
