"""What one solver may use: of the market's attention in a round, and of the machine at any time.

The limits of a round (`Limits`) are counted by the market, by what it reads. Those on the machine hold
for the whole tree of processes that a strategy has started, and are held twice: by limits that the
kernel enforces on each process, where an author gets an exception and its line; and by the tree's
keeper, which looks at it every few hundredths of a second and ends it (see `solvers.keeper`).

Memory. The kernel's limit is on private writable memory (``RLIMIT_DATA``: heap, anonymous maps, stacks
of threads), not on address space. Measured on x86-64 Linux: after importing NumPy, SciPy, networkx and
OR-Tools a process has 407 MiB of address space but 128 MiB of private writable memory; a model of
40,000 integers and 20,000 rows in SCIP and then HiGHS takes both to 667 and 374 MiB; CP-SAT with
8 workers takes them to 1,235 and 436 MiB, since each thread reserves address space that it never
touches. So 1 GiB of data is room for models of that size, while 1 GiB of address space would stop
a CP-SAT model of 2,000 Booleans with eight workers. Shared maps do not count as data: a wider limit
on address space bounds those in one process, and the keeper counts what of them is in use in all.

What is not held back is said in `solvers.worker`.
"""

import os
import resource
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from solvers.process_tree import PROC, count_tasks_of

MIB: Final = 1 << 20

MEMORY_BYTES: Final = 1 << 30
"""The most private writable memory of one process, and the most memory in use by all of a solver's."""

ADDRESS_BYTES: Final = 4 << 30
"""The most address space of one process."""

FILE_BYTES: Final = 64 * MIB
"""The longest file that a process may write."""

WRITTEN_BYTES: Final = 256 * MIB
"""The most that all of a solver's processes may write in a round: to files, pipes and sockets."""

DESCRIPTORS_MAX: Final = 256
"""The most descriptors that one process may have open."""

TASKS_MAX: Final = 64
"""The most processes and threads of a solver, counted together."""

USER_TASKS: Final = 1_024
"""How many processes and threads the user may have, beyond those at the start, before a solver gets no
more: the kernel's own stop for a fork that never ends. It does not bind the superuser."""

FIRST_TO_GO: Final = 1_000
"""What the kernel is told of a strategy's processes: the highest score there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one solver may say in one round, and how long the market waits for it.

    Attributes
    ----------
    grace_s : how long after the window a round still listens, so that late bids are seen as late
    start_s : how long a new process may take to load its strategy
    output_bytes : all it may write in a round, frames and prints together
    frame_bytes : the largest single frame
    bids : how many frames with bids are read; how many of them count is the auction's own rule
    bids_bytes : all that they may come to: to judge them takes the market time, about a quarter of a
        second for each MiB, and all of them are recorded
    quote_sets : how many sets of stock quotes are read; the last one for each venue counts
    quotes_bytes : the largest set of stock quotes
    """

    grace_s: float = 0.1
    start_s: float = 30.0
    output_bytes: int = 16 * MIB
    frame_bytes: int = MIB
    bids: int = 1_024
    bids_bytes: int = 4 * MIB
    quote_sets: int = 64
    quotes_bytes: int = MIB // 4


def limit_process() -> None:
    """Put this process, and whatever it starts, under the kernel's limits; they are never widened.

    Should the machine itself run out of memory, the kernel is to look for it here first.
    """
    with suppress(OSError):
        (PROC / "self/oom_score_adj").write_text(str(FIRST_TO_GO))
    wanted = [
        (resource.RLIMIT_DATA, MEMORY_BYTES),
        (resource.RLIMIT_AS, ADDRESS_BYTES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, DESCRIPTORS_MAX),
        (resource.RLIMIT_CORE, 0),
    ]
    user = os.getuid()
    if user != 0:
        wanted.append((resource.RLIMIT_NPROC, count_tasks_of(user) + USER_TASKS))
    for kind, most in wanted:
        _, hard = resource.getrlimit(kind)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))
