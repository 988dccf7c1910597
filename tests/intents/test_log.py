"""The log goes to standard error, one line per happening."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import structlog
from intents.log import configure_log
configure_log()
log = structlog.get_logger("solvent.test")
log.info("round_decided", orders=3)
try:
    1 // 0
except ZeroDivisionError:
    log.exception("round_failed")
print("answer")
"""


def test_standard_output_stays_for_answers() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout == "answer\n"
    decided, failed = (json.loads(line) for line in done.stderr.splitlines())
    assert (decided["event"], decided["orders"], decided["level"]) == ("round_decided", 3, "info")
    assert "ZeroDivisionError" in failed["exception"]


def test_a_line_that_cannot_be_written_stops_nothing() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=full, text=True, check=True
        )
    assert done.stdout == "answer\n"
