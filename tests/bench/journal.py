"""Intents per second from posted bytes to a durable answer, against the same without the journal.

Each run reads, verifies and admits 1,000 signed intents of 18 traders into a fresh market on the
reference world, in group commits of 1, 32 or 1,000: one transaction and one flush of SQLite's log for
each group. The baseline is the same market whose journal writes nothing. Both are one thread; the
journal lies in the system's temporary folder, whose disk decides what a flush costs.

The orders are drawn by `intents.order_flow`. With --quick there are fewer runs of 128 intents, but of
1,000 where that is the group.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from _harness import Result, note, run_bench, take_turns, time_call
from _market import START_US, DrawnMarket, draw_market

from intents.admission import read_signed_intent, verify_intent
from intents.events import Event, IntentPosted
from intents.journal import Journal, open_journal
from intents.market import Market, replay_journal
from intents.refusals import Refused
from intents.signing import sign_message
from intents.typed_data import Domain, eip712_domain, eip712_types

INTENTS: Final = 1_000
INTENTS_QUICK: Final = 128
GROUPS: Final = {"group-1": 1, "group-32": 32, "group-1000": 1_000}
SEED: Final = 0


class NoJournal(Journal):
    """Numbers events and forgets them."""

    def __init__(self, seq: int) -> None:
        self._seq = seq

    def append(self, events: Sequence[Event]) -> list[int]:
        begin, self._seq = self._seq + 1, self._seq + len(events)
        return list(range(begin, self._seq + 1))


def measure(case: str, *, quick: bool) -> Iterator[Result]:
    """Groups of one size, with and without the journal."""
    group = GROUPS[case]
    count, runs = (max(group, INTENTS_QUICK), 3) if quick else (INTENTS, 7)
    market = draw_market(seed=SEED, orders=count)
    bodies = sign_orders(market)
    groups = [bodies[place : place + group] for place in range(0, count, group)]
    note(f"  {count:,} intents in {len(groups)} commits; {runs} runs")
    with tempfile.TemporaryDirectory(prefix="solvent-bench-") as folder:
        rates = take_turns(
            {
                "journal": lambda: post_all(market, groups, folder=Path(folder), durable=True),
                "no journal": lambda: post_all(market, groups, folder=Path(folder), durable=False),
            },
            runs=runs,
        )
    yield Result(
        case=case, metric="admit", value=rates["journal"], unit="intents/s", baseline=rates["no journal"]
    )


def sign_orders(market: DrawnMarket) -> list[bytes]:
    """The bodies that post a market's orders, signed as wallets sign them."""
    eip712 = {"domain": eip712_domain(market.domain), "types": eip712_types()}
    return [
        msgspec.json.encode(sign_message("OptionIntent", message, eip712=eip712, key=trader.key))
        for trader, message in market.orders
    ]


def post_all(market: DrawnMarket, groups: Sequence[Sequence[bytes]], *, folder: Path, durable: bool) -> float:
    """Intents per second of a fresh market; what is durable is read again and counted afterwards."""
    path = folder / "market.db"
    count = sum(map(len, groups))
    with open_journal(f"sqlite:///{path}", write=True) as journal:
        journal.append([market.genesis, *market.deposits])
        fold = replay_journal(journal)
        opened = Market(journal if durable else NoJournal(fold.seq), fold)
        _, seconds = time_call(lambda: post_groups(opened, market.domain, groups))
        written = sum(1 for _ in journal.read(after=fold.seq))
    assert written == (count if durable else 0), "every accepted intent is in the journal"
    for file in folder.iterdir():
        file.unlink()
    return count / seconds


def post_groups(market: Market, domain: Domain, groups: Iterable[Iterable[bytes]]) -> None:
    """What the service does with the requests of each batch, on one thread."""
    for bodies in groups:
        refused = market.commit([read_event(body, domain) for body in bodies])
        assert not any(refused), refused


def read_event(body: bytes, domain: Domain) -> IntentPosted:
    """The event of one request; the benchmark's own are never refused."""
    signed = read_signed_intent(body)
    assert not isinstance(signed, Refused), signed
    id_ = verify_intent(domain, signed)
    assert not isinstance(id_, Refused), id_
    return IntentPosted(at_us=START_US, id=id_, intent=signed.intent, signature=signed.signature)


if __name__ == "__main__":
    run_bench("journal", __doc__, dict.fromkeys(GROUPS, measure))
