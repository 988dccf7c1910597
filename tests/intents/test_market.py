"""The engine and its journal as one."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from chains.errors import WorldFileError
from intents.errors import JournalError, UnavailableError
from intents.events import Advanced
from intents.genesis import found_market
from intents.journal import open_journal
from intents.market import open_market, replay_journal
from intents.service import open_service
from tests.services import BrokenDisk, make_settings, open_small_service
from tests.worlds import START_US


def test_a_journal_that_does_not_begin_with_a_market_is_refused(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with open_journal(settings.database, write=True) as journal:
        journal.append([Advanced(at_us=1)])
    with pytest.raises(JournalError, match="founds no market"):
        open_service(settings, simulated_start_us=START_US)


def test_an_entry_that_the_market_does_not_take_is_named(tmp_path: Path) -> None:
    asyncio.run(open_small_service(tmp_path).close())
    settings = make_settings(tmp_path)
    with open_journal(settings.database, write=True) as journal:
        journal.append([Advanced(at_us=1)])
    with pytest.raises(JournalError, match="entry 2 does not belong here"):
        open_small_service(tmp_path)


def test_a_market_that_is_closed_answers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(tmp_path)
    with open_journal(settings.database, write=True) as journal:
        market = open_market(journal, lambda: found_market(settings, start_us=START_US))
        disk = BrokenDisk(monkeypatch)
        with pytest.raises(UnavailableError):
            market.commit([Advanced(at_us=START_US + 1)])
        assert (market.is_open, market.generation, market.seq) == (False, 1, 1)
        for read in (lambda: market.engine, lambda: market.records, lambda: market.commit([])):
            with pytest.raises(UnavailableError):
                read()
        disk.mended = True
        market.reopen(replay_journal(journal))
        assert market.engine.now_us == START_US
        assert market.commit([Advanced(at_us=START_US + 1)]) == [None]
        assert (market.seq, market.engine.now_us) == (2, START_US + 1)


def test_a_market_that_was_killed_before_it_was_founded_is_founded_at_the_next_start(tmp_path: Path) -> None:
    open_journal(make_settings(tmp_path).database, write=True).close()
    service = open_small_service(tmp_path)
    assert service.market.seq == 1
    asyncio.run(service.close())


def test_a_world_that_cannot_be_opened_founds_no_market(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with open_journal(settings.database, write=True) as journal:
        broken = replace(found_market(settings, start_us=START_US), at_us=START_US + 10**16)
        with pytest.raises(WorldFileError, match="expired"):
            open_market(journal, lambda: broken)
        assert journal.head()[0] == 0
        open_market(journal, lambda: found_market(settings, start_us=START_US))
