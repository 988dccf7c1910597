"""From a journal to an archive: every decided round, with how its deals stand at the end of the journal."""

from collections.abc import Iterator
from pathlib import Path

from intents.archive import RecordedAuction, SettledDeal, SettledLeg, SettledTransfer, write_archive
from intents.engine import Engine
from intents.events import AuctionDecided, AuctionPublished
from intents.journal import Journal, open_journal
from intents.market import Fold, replay_journal
from solvers.codec import encode


def export_archive(url: str, path: Path) -> int:
    """Write the decided rounds of a journal to an archive and return how many there are.

    The journal is only read; a market may be writing to it meanwhile. Every entry is read and verified,
    whatever checkpoints there are.

    Raises
    ------
    JournalError
        If the journal cannot be read, or an entry is damaged.
    ArchiveError
        If the archive cannot be written.
    """
    with open_journal(url, write=False) as journal:
        return write_archive(path, _records(journal, replay_journal(journal, whole=True)))


def _records(journal: Journal, fold: Fold) -> Iterator[RecordedAuction]:
    """The decided rounds up to the fold; a round that was cut and never decided leaves no record."""
    published: AuctionPublished | None = None
    for entry in journal.read():
        if entry.seq > fold.seq:
            return
        if isinstance(entry.event, AuctionPublished):
            published = entry.event
        elif isinstance(entry.event, AuctionDecided) and published is not None:
            yield _record(published, entry.event, fold.engine)


def _record(published: AuctionPublished, decided: AuctionDecided, engine: Engine) -> RecordedAuction:
    return RecordedAuction(
        file=encode(published.auction),
        submissions=decided.submissions,
        outcome=encode(decided.outcome),
        not_selected=published.not_selected,
        settlement=tuple(_settled(engine, deal.deal) for deal in decided.outcome.deals),
    )


def _settled(engine: Engine, deal: str) -> SettledDeal:
    record = engine.world.deals[deal]
    return SettledDeal(
        deal=deal,
        state=record.state.value,
        at_us=record.ended_us or record.decided_us or record.prepared_us,
        legs=tuple(
            SettledLeg(
                chain=leg.chain,
                state=record.legs[leg.chain].state.value,
                transfers=tuple(
                    SettledTransfer(
                        debit=each.debit, credit=each.credit, asset=each.asset, amount=each.amount
                    )
                    for each in leg.transfers
                ),
            )
            for leg in record.hub.plan.legs
        ),
    )
