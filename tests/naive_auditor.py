"""A naive auditor: the whole market worked out again from its journal's events, and from nothing else.

It shares no code with the book, its collateral, the engine or the world, only the events' data classes.
Where they keep sums it adds up from scratch, where they solve it scans prices and counts lots one by one,
and where they carry packets it has a formula. It knows a market without outside flow, whose deals are
either decided in time, and then settle, or after their `decide_by`, and are then refunded.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil, floor
from typing import Final

from intents.events import (
    Advanced,
    AuctionCut,
    AuctionDecided,
    Deposited,
    Event,
    Genesis,
    IntentPosted,
    IntentsCancelled,
    NoncesRevoked,
)
from intents.typed_data import NO_GROUP, OptionIntent
from solvers.outcome import Deal

LOT: Final = Fraction(1, 100)
SECOND: Final = 1_000_000
MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

Amounts = Counter[str]
"""What there is of each asset, also less than nothing."""


def maturity(series: str) -> str:
    return "-".join(series.split("-")[:2])


def expiry_us(name: str) -> int:
    day = name.split("-")[1]
    month = MONTHS.index(day[-5:-2]) + 1
    return int(datetime(2000 + int(day[-2:]), month, int(day[:-5]), 8, tzinfo=UTC).timestamp()) * SECOND


def worth(lots: Mapping[str, int], price: Fraction) -> Fraction:
    """USD that lots of one maturity bring when it settles at a price in USD."""
    total = Fraction(0)
    for series, count in lots.items():
        strike, kind = int(series.split("-")[2]), series.split("-")[3]
        total += count * LOT * max(Fraction(0), price - strike if kind == "C" else strike - price)
    return total


def backing(lots: Mapping[str, int]) -> Amounts:
    """Coins and USDC behind lots of one maturity, by looking at price 0, every strike and far out."""
    far = Fraction(10**8)
    slope = worth(lots, far + 1) - worth(lots, far)
    cover = max(Fraction(0), -slope)
    prices = [Fraction(0), far, *(Fraction(int(series.split("-")[2])) for series in lots)]
    worst = min(worth(lots, price) + cover * price for price in prices)
    coins, usdc = ceil(cover * 10**8), ceil(max(Fraction(0), -worst) * SECOND)
    return +Counter({"BTC": coins, "USDC": usdc})


def split(lots: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """What of one maturity stays with what is written, and what is free, letting lots go one by one."""
    kept, free = dict(lots), dict[str, int]()
    if all(count > 0 for count in lots.values()):
        return {}, kept
    needed = backing(lots)
    for series in sorted(lots, key=lambda each: (int(each.split("-")[2]), each.split("-")[3])):
        while kept[series] > 0 and backing(kept | {series: kept[series] - 1}) == needed:
            kept[series] -= 1
            free[series] = free.get(series, 0) + 1
    return {series: count for series, count in kept.items() if count}, free


@dataclass(kw_only=True)
class Seen:
    """One intent: what a unit of it moves, and where its units are."""

    id: str
    intent: OptionIntent
    ends_us: int
    closing: dict[str, int]
    written: dict[str, Amounts]
    free: dict[str, int]
    open: int
    uncovered: int
    pledged: dict[str, int] = field(default_factory=dict)
    filled: int = 0
    paid: int = 0
    ending: str = ""
    ended: str = ""
    ended_by: str | None = None

    @property
    def pot(self) -> tuple[str, str]:
        return self.intent.owner, self.id if self.intent.group == NO_GROUP else f"g{self.intent.group}"

    @property
    def settling(self) -> int:
        return sum(self.pledged.values())

    def unit(self) -> Amounts:
        """What a unit ties up."""
        total: Amounts = Counter({"USDC": max(0, self.intent.limit)})
        total.update(self.closing)
        for amounts in self.written.values():
            total.update({asset: amount for asset, amount in amounts.items() if "-" not in asset})
        return +total

    def held(self) -> dict[tuple[str, str], int]:
        count = self.open - self.uncovered + self.settling
        return {(self.intent.chain, asset): each * count for asset, each in self.unit().items() if count}

    def end(self, how: str) -> None:
        if not self.ended:
            self.ended, self.open, self.uncovered = how, 0, 0

    @property
    def status(self) -> str:
        if self.filled == self.intent.units:
            return "filled"
        if self.ending == "cancelled":
            return "cancelling"
        if self.settling and (self.ended or self.settling + self.filled == self.intent.units):
            return "settling"
        return self.ended or "open"


@dataclass(kw_only=True)
class Settling:
    """A deal on its way: when its leg on each chain posts (none do in one that fails), and when it ends."""

    deal: Deal
    settles: bool
    posts: dict[str, int]
    ends_us: int
    posted: set[str] = field(default_factory=set)


class Auditor:
    """Everything that can be known of a market from its events; `apply` takes the next one."""

    def __init__(self, genesis: Genesis) -> None:
        self.spec = genesis.spec
        self.chains = {chain.id: chain for chain in genesis.spec.chains}
        self.forwards = {
            (each.underlying, each.expiry * SECOND): each.price for each in genesis.spec.forwards
        }
        self.alive = {maturity(each.id): expiry_us(maturity(each.id)) for each in genesis.spec.series}
        self.balances: Counter[tuple[str, str, str]] = Counter()
        self.intents: dict[str, Seen] = {}
        self.floors: Counter[str] = Counter()
        self.groups: dict[tuple[str, str], str] = {}
        self.deals: dict[str, Settling] = {}
        self.round: list[str] | None = None
        self.offered: list[str] = []
        self.withheld: list[str] = []

    # --- sums, from scratch ---------------------------------------------------------------------

    def reserved(self, owner: str) -> Counter[tuple[str, str]]:
        pots: dict[tuple[str, str], Counter[tuple[str, str]]] = {}
        for seen in self.intents.values():
            if seen.intent.owner == owner:
                pots[seen.pot] = pots.get(seen.pot, Counter()) | Counter(seen.held())
        return sum(pots.values(), Counter())

    def funds(self, owner: str, chain: str, asset: str) -> int:
        """The balance, with what posted legs of unfinished deals have taken."""
        taken = 0
        for settling in self.deals.values():
            if chain in settling.posted:
                moved: Counter[str] = Counter()
                for seen, units, payment in self.fills(settling.deal, chain):
                    if seen.intent.owner == owner:
                        moved.update(free_moves(seen, units, payment))
                taken += max(0, -moved[asset])
        return self.balances[chain, f"owner:{owner}", asset] + taken

    def available(self, seen: Seen, asset: str) -> int:
        place = seen.intent.chain, asset
        in_pot = max(
            (each.held().get(place, 0) for each in self.intents.values() if each.pot == seen.pot), default=0
        )
        held = self.reserved(seen.intent.owner)[place]
        return self.funds(seen.intent.owner, *place) - held + in_pot

    def fills(self, deal: Deal, chain: str) -> Iterator[tuple[Seen, int, int]]:
        for fill in deal.fills:
            if fill.chain == chain:
                yield self.intents[fill.intent], fill.units, fill.payment

    # --- events -----------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        match event:
            case Deposited():
                self.balances[event.chain, f"owner:{event.owner}", event.asset] += event.amount
            case IntentPosted():
                seen, _ = self.admission(event)
                self.intents[event.id] = seen
            case IntentsCancelled():
                for id_ in event.intents:
                    self.ask_to_end(self.intents[id_], "cancelled")
            case NoncesRevoked():
                self.revoke(event.owner, int(event.nonce))
            case Advanced():
                self.run(event.at_us)
            case AuctionCut():
                self.run(event.at_us)
                self.cut(event.at_us)
            case AuctionDecided():
                self.run(event.at_us)
                self.decide(event)
            case _:
                pass

    def admission(self, event: IntentPosted) -> tuple[Seen, str | None]:
        """The intent as it would enter, and the code of its refusal, if it is to be refused."""
        intent = event.intent
        legs = {leg.series: leg.ratio for leg in intent.legs}
        ends = [intent.valid_until * SECOND, *(expiry_us(maturity(series)) for series in legs)]
        seen = Seen(
            id=event.id, intent=intent, ends_us=min(ends), closing={}, written={}, free={},
            open=intent.units, uncovered=0,
        )  # fmt: skip
        for series, ratio in legs.items():
            lots = -ratio * intent.units
            if ratio < 0 and (intent.reduce_only or self.available(seen, series) >= lots):
                seen.closing[series] = -ratio
        for name in sorted({maturity(series) for series in legs}):
            rest = {
                series: ratio
                for series, ratio in legs.items()
                if maturity(series) == name and series not in seen.closing
            }
            kept, free = split(rest)
            seen.free |= free
            if kept:
                seen.written[name] = Counter(kept)
                seen.written[name].update(backing(kept))
        return seen, self.refusal_of(seen)

    def refusal_of(self, seen: Seen) -> str | None:
        intent = seen.intent
        mine = [each for each in self.intents.values() if each.intent.owner == intent.owner]
        if any(maturity(leg.series) not in self.alive for leg in intent.legs):
            return "series_expired"
        if intent.nonce < self.floors[intent.owner]:
            return "nonce_revoked"
        if any(each.intent.nonce == intent.nonce for each in mine):
            return "nonce_reused"
        if intent.group != NO_GROUP and seen.pot in self.groups:
            return "group_filled"
        covered = self.coverable(seen)
        if intent.reduce_only:
            seen.uncovered = intent.units - min(covered, intent.units)
            return None if covered >= 1 else "not_covered"
        return None if covered >= intent.units else "uncollateralised"

    def coverable(self, seen: Seen) -> int:
        """How many units of an intent its owner could back."""
        return min(
            (self.available(seen, asset) // each for asset, each in seen.unit().items()), default=10**9
        )

    def revoke(self, owner: str, nonce: int) -> None:
        self.floors[owner] = max(self.floors[owner], nonce)
        for seen in self.intents.values():
            if seen.intent.owner == owner and seen.intent.nonce < nonce:
                self.ask_to_end(seen, "cancelled")

    def ask_to_end(self, seen: Seen, how: str) -> None:
        if seen.ended:
            return
        if self.round is not None and seen.id in self.round:
            seen.ending = seen.ending or how
        else:
            seen.end(how)

    def cut(self, now_us: int) -> None:
        if self.round is not None:
            self.leave_round(decided=False)
        for seen in self.intents.values():
            if seen.uncovered:
                more = self.coverable(seen) - (seen.open - seen.uncovered) - seen.settling
                seen.uncovered -= max(0, min(more, seen.uncovered))
        waiting = [seen for seen in self.intents.values() if seen.open and now_us < seen.ends_us]
        self.withheld = [seen.id for seen in waiting if self.must_wait(seen)]
        self.round = self.offered = [seen.id for seen in waiting if seen.id not in self.withheld]

    def must_wait(self, seen: Seen) -> bool:
        others = [each for each in self.intents.values() if each.pot == seen.pot and each is not seen]
        few = seen.open - seen.uncovered < min(seen.intent.min_units, seen.open)
        return few or any(other.pledged for other in others)

    def decide(self, event: AuctionDecided) -> None:
        for deal in event.outcome.deals:
            self.deals[deal.deal] = self.timeline(deal, event.at_us)
            for fill in deal.fills:
                seen = self.intents[fill.intent]
                seen.pledged[deal.deal] = fill.units
                seen.open -= fill.units
        self.leave_round(decided=True)

    def leave_round(self, *, decided: bool) -> None:
        chosen, self.round = self.round or [], None
        for id_ in chosen:
            seen = self.intents[id_]
            how, seen.ending = seen.ending, ""
            if how or (decided and seen.intent.immediate):
                seen.end(how or "cancelled")

    # --- time -------------------------------------------------------------------------------------

    def timeline(self, deal: Deal, now_us: int) -> Settling:
        """When each leg posts and when the deal ends, by its chains' blocks, finality and relays."""
        settles = now_us <= deal.lock_by_us
        assert settles or now_us > deal.decide_by_us, "the auditor knows nothing of deals in between"
        if len(deal.chains) == 1:
            (chain,) = deal.chains
            at_us = self.block(chain, now_us + self.chains[chain].relay_us)
            return Settling(
                deal=deal, settles=settles, posts={chain: at_us} if settles else {}, ends_us=at_us
            )
        hub = self.spec.hub
        written = self.block(hub, now_us)
        decided = max(
            self.heard(chain, self.block(chain, written + self.relay(chain))) for chain in deal.chains
        )
        final = (decided if settles else written) + self.chains[hub].finality_us
        posts = {chain: self.block(chain, final + self.relay(chain)) for chain in deal.chains}
        ends = max(self.heard(chain, at_us) for chain, at_us in posts.items())
        return Settling(deal=deal, settles=settles, posts=posts if settles else {}, ends_us=ends)

    def block(self, chain: str, after_us: int) -> int:
        size = self.chains[chain].block_us
        return (after_us // size + 1) * size

    def relay(self, chain: str) -> int:
        return self.chains[chain].relay_us

    def heard(self, chain: str, at_us: int) -> int:
        """The hub's block that hears of something in a chain's block."""
        return self.block(self.spec.hub, at_us + self.chains[chain].finality_us + self.relay(chain))

    def run(self, until_us: int) -> None:
        """Everything that is due, in order: at one instant pay-outs come first, then legs, then ends."""
        due: list[tuple[int, int, str, str]] = []
        due += [(at_us, 0, name, "") for name, at_us in self.alive.items()]
        for name, settling in self.deals.items():
            due += [
                (at_us, 1, name, chain)
                for chain, at_us in settling.posts.items()
                if chain not in settling.posted
            ]
            due.append((settling.ends_us, 2, name, ""))
        for at_us, what, name, chain in sorted(due):
            if at_us > until_us:
                break
            if what == 0:
                self.pay_out(name)
            elif what == 1:
                self.post(self.deals[name], chain)
            else:
                self.end_deal(name)
        for seen in self.intents.values():
            if seen.ends_us <= until_us and seen.open + seen.settling:
                self.ask_to_end(seen, "expired")

    def post(self, settling: Settling, chain: str) -> None:
        settling.posted.add(chain)
        for seen, units, payment in self.fills(settling.deal, chain):
            owner = seen.intent.owner
            for asset, amount in free_moves(seen, units, payment).items():
                self.balances[chain, f"owner:{owner}", asset] += amount
            for name, amounts in seen.written.items():
                for asset, amount in amounts.items():
                    self.balances[chain, f"written:{owner}/{name}", asset] += amount * units

    def end_deal(self, name: str) -> None:
        settling = self.deals.pop(name)
        for fill in settling.deal.fills:
            seen = self.intents[fill.intent]
            units = seen.pledged.pop(name)
            if not settling.settles:
                seen.open += 0 if seen.ended else units
                continue
            seen.filled += units
            seen.paid += fill.payment
            if seen.intent.group != NO_GROUP:
                self.groups.setdefault(seen.pot, seen.id)
                for other in self.intents.values():
                    if other.pot == seen.pot and other is not seen and (other.open or other.pledged):
                        other.ended_by = seen.id
                        other.end("cancelled")

    def pay_out(self, name: str) -> None:
        price = self.settlement_price(name)
        del self.alive[name]
        for chain, account in sorted({place[:2] for place in self.balances}):
            held = {
                asset: amount
                for (at, of, asset), amount in self.balances.items()
                if (at, of) == (chain, account) and "-" in asset and maturity(asset) == name and amount
            }
            for series in held:
                del self.balances[chain, account, series]
            gain = floor(worth(held, price) * SECOND)
            if account.startswith("owner:"):
                self.balances[chain, account, "USDC"] += gain
            elif account.endswith(f"/{name}"):
                self.close_written(chain, account, gain, price)

    def close_written(self, chain: str, account: str, gain: int, price: Fraction) -> None:
        owner = f"owner:{account.removeprefix('written:').split('/')[0]}"
        cash = self.balances.pop((chain, account, "USDC"), 0) + gain
        coins = self.balances.pop((chain, account, "BTC"), 0)
        if cash < 0:
            coins -= ceil(Fraction(-cash, SECOND) / price * 10**8)
            assert coins >= 0
        self.balances[chain, owner, "USDC"] += max(0, cash)
        self.balances[chain, owner, "BTC"] += coins

    def settlement_price(self, name: str) -> Fraction:
        """USD: the forward at the nearest multiple of 0.0001, a half up."""
        forward = Fraction(self.forwards[name.partition("-")[0], expiry_us(name)], SECOND)
        return Fraction(floor(forward * 10_000 + Fraction(1, 2)), 10_000)


def free_moves(seen: Seen, units: int, payment: int) -> Amounts:
    """What a fill moves in its owner's free account."""
    moves: Amounts = Counter({"USDC": -payment})
    for series, lots in seen.closing.items():
        moves[series] -= lots * units
    for series, lots in seen.free.items():
        moves[series] += lots * units
    for amounts in seen.written.values():
        for asset, amount in amounts.items():
            moves[asset] -= amount * units if "-" not in asset else 0
    return moves
