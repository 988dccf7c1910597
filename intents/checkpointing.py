"""When checkpoints are made, and that the journal beneath them is still whole.

After every `every` entries, or as many kibibytes of them (auctions are large, and take long to fold), a
worker process (`intents.checkpoint_worker`) makes a checkpoint beside the running market, which goes on
meanwhile. The next one waits `REST` times as long as the last one took, so that a large state is not
written all the time. When the service stops it leaves a checkpoint of what is in its memory, unless
hardly anything has happened since the last one.

A market that started from a checkpoint has not read the entries that it covers. So a worker verifies
every entry of the journal right after the start, again and again until it could, and no checkpoint is made
before. A damaged entry closes the market for good: nothing that comes after it is trusted, and neither is
what was folded from it.
"""

import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from intents.checkpoint import CODE_VERSIONS
from intents.checkpoint_files import remove_unfinished, write_checkpoint
from intents.checkpoint_worker import Report
from intents.errors import CheckpointError, JournalError
from intents.market import Market

LOOK_S: Final = 1.0
"""How often it is looked whether a checkpoint is due."""

CHECK_AGAIN_S: Final = 30.0
"""How long until the journal is verified again where that could not be done."""

REST: Final = 10
"""How many times as long as the last checkpoint took the next one waits."""

KIBIBYTE: Final = 1_024
STOP_SHARE: Final = 10
"""A service that stops leaves a checkpoint where a tenth of the usual number of entries is new."""

_SHOWN: Final = 500
_log = structlog.get_logger("solvent.checkpoint")


class Checkpointing:
    """Checkpoints of one market. All methods belong to the running event loop.

    Parameters
    ----------
    market : the market; its journal is open for writing
    every : entries from one checkpoint to the next; 0 for none
    """

    def __init__(self, market: Market, *, every: int) -> None:
        self._market = market
        self._every = every
        self._code = CODE_VERSIONS["sources"]
        self._covered = market.checkpoint_seq
        self._covered_bytes = 0
        self._not_before_s = 0.0
        self._process: asyncio.subprocess.Process | None = None
        remove_unfinished(market.journal.path)

    async def serve(self) -> None:
        """Verify what was not read at the start, and make checkpoints for ever."""
        while self._covered and not await self._is_verified():
            await asyncio.sleep(CHECK_AGAIN_S)
        while self._every:
            await asyncio.sleep(LOOK_S)
            if self._is_due(self._every) and time.monotonic() >= self._not_before_s:
                await self.make()

    async def _is_verified(self) -> bool:
        """Whether the journal has been verified, or the market was closed for what that found."""
        report = await self._run("check")
        return report is not None and (report.is_final or not report.error)

    async def make(self) -> None:
        """Have a checkpoint made beside the running market; a failure is logged."""
        began_s, appended = time.monotonic(), self._market.journal.appended_bytes
        report = await self._run("fold")
        took_s = time.monotonic() - began_s
        self._not_before_s = time.monotonic() + REST * took_s
        if report is not None and not report.error:
            assert report.seq is not None
            self._covered, self._covered_bytes = report.seq, appended
            _log.info("checkpoint_made", seq=report.seq, took_s=round(took_s, 3))

    def make_last(self) -> None:
        """Leave a checkpoint of what is in memory; a failure is logged."""
        if not self._every or not self._is_due(max(1, self._every // STOP_SHARE)):
            return
        try:
            fold = self._market.current_fold()
            if fold is not None:
                write_checkpoint(self._market.journal.path, fold)
                _log.info("checkpoint_made", seq=fold.seq)
        except (CheckpointError, JournalError) as error:
            _log.warning("checkpoint_failed", error=str(error))

    async def close(self) -> None:
        """End the worker, if one runs."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _is_due(self, every: int) -> bool:
        journal = self._market.journal
        new_bytes = journal.appended_bytes - self._covered_bytes
        return self._market.seq - self._covered >= every or new_bytes >= every * KIBIBYTE

    async def _run(self, work: str) -> Report | None:
        """Run a worker and judge its report; None where it gave none."""
        command = [sys.executable, "-P", "-m", "intents.checkpoint_worker"]
        command += [work, self._market.journal.url, self._code]
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            # Its standard input stays open: the end of it is the end of the market.
            assert self._process.stdout is not None
            assert self._process.stderr is not None
            answer, noise = await asyncio.gather(self._process.stdout.read(), self._process.stderr.read())
            await self._process.wait()
            report = msgspec.json.decode(answer, type=Report)
        except (OSError, msgspec.DecodeError) as error:
            detail = str(error) if isinstance(error, OSError) else noise.decode(errors="replace")[-_SHOWN:]
            _log.warning("checkpoint_worker_failed", work=work, detail=detail)
            return None
        if report.is_final:
            self._market.condemn(report.error)
        elif report.error:
            _log.warning("checkpoint_failed", work=work, error=report.error)
        return report
