"""The kernel's limits on a process are those that are stated, and are only ever narrowed."""

import json
import os
import resource
import subprocess
import sys

from solvers.limits import (
    ADDRESS_BYTES,
    DESCRIPTORS_MAX,
    FILE_BYTES,
    FIRST_TO_GO,
    MEMORY_BYTES,
    MIB,
    USER_TASKS,
    Limits,
)

SCRIPT = """
import json, os, resource, sys
from solvers.limits import limit_process
before, user = json.loads(sys.argv[1]), int(sys.argv[2])
for kind, most in before:
    resource.setrlimit(kind, (most, most))
if os.getuid() != user:
    os.setuid(user)
limit_process()
kinds = ("DATA", "AS", "FSIZE", "NOFILE", "CORE", "NPROC")
found = {kind: resource.getrlimit(getattr(resource, f"RLIMIT_{kind}")) for kind in kinds}
found["oom"] = int(open("/proc/self/oom_score_adj").read())
print(json.dumps(found))
"""

NOBODY = 65_534


def limited(*before: tuple[int, int], user: int | None = None) -> dict[str, list[int]]:
    """The limits of a process with some limits already, as a user that it may become."""
    arguments = [json.dumps(before), str(os.getuid() if user is None else user)]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], check=True, capture_output=True)
    found: dict[str, list[int]] = json.loads(done.stdout)
    return found


def test_a_process_has_the_limits_that_are_stated() -> None:
    found = limited()
    assert found["DATA"] == [MEMORY_BYTES] * 2 == [1 << 30] * 2
    assert found["AS"] == [ADDRESS_BYTES] * 2
    assert found["FSIZE"] == [FILE_BYTES] * 2
    assert found["NOFILE"] == [DESCRIPTORS_MAX] * 2
    assert found["CORE"] == [0, 0]
    assert found["oom"] == FIRST_TO_GO


def test_a_limit_that_is_narrower_already_stays() -> None:
    narrow = ((resource.RLIMIT_NOFILE, 100), (resource.RLIMIT_FSIZE, 7 * MIB))
    found = limited(*narrow)
    assert (found["NOFILE"], found["FSIZE"]) == ([100] * 2, [7 * MIB] * 2)


def test_whoever_is_not_the_superuser_gets_only_so_many_tasks_more() -> None:
    user = NOBODY if os.getuid() == 0 else os.getuid()
    soft, hard = limited(user=user)["NPROC"]
    assert soft == hard
    assert USER_TASKS < soft < USER_TASKS + 10_000


def test_the_limits_of_a_round_are_those_of_the_contract() -> None:
    limits = Limits()
    assert (limits.grace_s, limits.output_bytes) == (0.1, 16 << 20)
    assert limits.frame_bytes < limits.bids_bytes < limits.output_bytes
    assert limits.quotes_bytes < limits.frame_bytes
