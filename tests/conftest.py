"""For all tests."""

from __future__ import annotations

import os
import signal

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a shell without job control: children would inherit that, and no test could interrupt one.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where `.ci/run` has installed what tests need, a test that is skipped for want of something is a failure; but for Docker, whose
    engine cannot be installed everywhere.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("AGGREGATE_CI") != "1" or reporter is None or exitstatus != pytest.ExitCode.OK:
        return
    reasons = {
        str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr) for report in reporter.stats.get("skipped", [])
    }
    if wanting := sorted(reason for reason in reasons if "no docker" not in reason and "no container engine" not in reason):
        reporter.write_line("skipped where nothing may be skipped: " + "; ".join(wanting), red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
