"""Does every bid and every order have its one reason, with the right numbers?

What won is beyond doubt by now; what lost is held against it. Of the numbers that come from the market's
own search for an order alone, this says whether they can be right (`intents.verifying.obstacles`), and a
replay whether they are. What is written for people, the detail, is not compared.
"""

from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from chains.units import WIRE_MAX
from intents.verifying.obstacles import Found, Ground, Market
from intents.verifying.optimum import capacities_used
from intents.verifying.outcomes import Feasible, Pool
from intents.verifying.sheet import Sheet, require
from solvers.auction import Order
from solvers.outcome import Deal, Numbers, OrderRecord, Outcome
from solvers.reasons import BidReason, OrderReason

NOBODY = "choice"
"""Where the record places a bid that has nobody in its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Why a bid did not win: the winners that do not fit beside it, and what the best of them has of it."""

    where: str
    score: int
    winners: tuple[Feasible, ...]

    @property
    def needed(self) -> int:
        """What the winners in its way score together."""
        return sum(each.judged.score for each in self.winners)

    @property
    def rival(self) -> str:
        """The name of the best of them."""
        return f"{self.winners[0].bid.solver}/{self.winners[0].bid.bid}" if self.winners else NOBODY


def check_fates(sheet: Sheet, outcome: Outcome, pool: Pool) -> None:
    """Every winning or losing bid has the right numbers, and every order its reason with its own."""
    lost = _find_losers(sheet, outcome, pool)
    for digest, why in lost.items():
        _require_numbers(pool[digest], (why.where, why.score, why.needed))
    for deal in outcome.deals:
        won = pool[deal.digest]
        kept_out = [why.score for why in lost.values() if won in why.winners]
        _require_numbers(won, (deal.deal, won.judged.score, max(kept_out, default=0)))
    _check_orders(sheet, outcome, pool, lost)


def _require_numbers(each: Feasible, meant: Found) -> None:
    found = _read(each.record.numbers)
    where = f"{each.record.bid!r} of {each.record.solver}"
    require(found == _cut(meant), "bid_numbers", f"{where}: {found}, not {meant}")


def _cut(meant: Found) -> Found:
    """Numbers as they are written, no larger than the wire's."""
    where, *amounts = meant
    found, allowed = (min(max(amount, -WIRE_MAX), WIRE_MAX) for amount in amounts)
    return where, found, allowed


def _read(numbers: Numbers | UnsetType) -> Found | None:
    return None if isinstance(numbers, UnsetType) else (numbers.where, numbers.found, numbers.allowed)


def _find_losers(sheet: Sheet, outcome: Outcome, pool: Pool) -> dict[str, Lost]:
    winners = [(pool[deal.digest], capacities_used(sheet, pool[deal.digest].bid)) for deal in outcome.deals]
    lost = {}
    for digest, each in pool.items():
        if each.record.reason == BidReason.WON:
            continue
        total = {name: (used, there) for name, (used, there) in capacities_used(sheet, each.bid).items()}
        where = NOBODY
        blocking: list[Feasible] = []
        for winner, uses in winners:
            over = [
                name for name in total.keys() & uses.keys() if total[name][0] + uses[name][0] > total[name][1]
            ]
            if over:
                where = where if blocking else min(map(_place, over))[1]
                blocking.append(winner)
                continue
            for name in total.keys() & uses.keys():
                total[name] = total[name][0] + uses[name][0], total[name][1]
        lost[digest] = Lost(where=where, score=each.judged.score, winners=tuple(blocking))
    return lost


def _place(name: tuple[str, ...]) -> tuple[bool, str]:
    """How the record writes a shared thing, orders and groups before what is there in amounts."""
    kind, *rest = name
    return kind not in ("order", "group"), f"{kind} {'/'.join(rest)}"


def _check_orders(sheet: Sheet, outcome: Outcome, pool: Pool, lost: dict[str, Lost]) -> None:
    """Every order of the auction has its one reason, in the auction's order."""
    rows = [row.intent for row in outcome.orders]
    require(rows == list(sheet.orders), "orders_missing", len(rows))
    deals = {fill.intent: deal for deal in outcome.deals for fill in deal.fills}
    filled = {fill.intent: fill.units for deal in outcome.deals for fill in deal.fills}
    best = _best_losers(pool, lost)
    ground, searches = Ground(sheet), sheet.auction.rules.searches_max
    for row, order in zip(outcome.orders, sheet.orders.values(), strict=True):
        units = filled.get(row.intent, 0)
        require(row.units == units, "order_units", f"{row.intent}: {row.units}, not {units}")
        if units:
            _check_row(row, *_filled(order, deals[row.intent]))
        elif row.intent in best:
            why = best[row.intent]
            _check_row(row, OrderReason.OUTBID, (why.rival, why.score, why.needed))
        elif not order.legs:
            _check_row(row, OrderReason.NO_BID, None)
        else:
            meant = ground.find(order, filled)
            if not isinstance(meant, Market):
                _check_row(row, *meant)
            elif searches:
                searches -= 1
                _check_search(row, meant)
            else:
                _check_row(row, OrderReason.NOT_SEARCHED, (row.intent, order.limit, meant.least_limit()))


def _best_losers(pool: Pool, lost: dict[str, Lost]) -> dict[str, Lost]:
    """For every order, the best of the losing bids for it that score anything."""
    best: dict[str, Lost] = {}
    for digest in sorted(lost, key=lambda digest: (-lost[digest].score, digest)):
        for fill in pool[digest].bid.fills if lost[digest].score else ():
            best.setdefault(fill.intent, lost[digest])
    return best


def _filled(order: Order, deal: Deal) -> tuple[OrderReason, Found]:
    (fill,) = (fill for fill in deal.fills if fill.intent == order.intent)
    if fill.units < order.units:
        return OrderReason.PARTLY_FILLED, (deal.deal, fill.units, order.units)
    return OrderReason.FILLED, (deal.deal, fill.payment, order.limit * order.units)


def _check_row(row: OrderRecord, reason: OrderReason, meant: Found | None) -> None:
    require(row.reason == reason, "order_reason", f"{row.intent}: {row.reason}, not {reason}")
    found = _read(row.numbers)
    fits = found == (meant if meant is None else _cut(meant))
    require(fits, "order_numbers", f"{row.intent}: {found}, not {meant}")


def _check_search(row: OrderRecord, market: Market) -> None:
    """What the market's search says of an order whose limit leaves a plan possible."""
    require(row.numbers is not UNSET, "order_numbers", f"{row.intent} has none")
    where, found, allowed = _read(row.numbers) or ("", 0, 0)
    require(where == row.intent, "order_numbers", f"{row.intent}: where is {where}")
    home = market.home_limit()
    if row.reason == OrderReason.NO_ROUTE:
        require(home is None, "order_reason", f"{row.intent}: its own chain has all that it needs")
        fits = 0 <= found < allowed == market.least_units
        require(fits, "order_numbers", f"{row.intent}: {found} of {allowed} units")
        return
    reason = OrderReason.COSTS_SHORT if market.order.limit < allowed else OrderReason.NO_BID
    require(row.reason == reason, "order_reason", f"{row.intent}: {row.reason}, not {reason}")
    require(found == market.order.limit, "order_numbers", f"{row.intent}: its limit is not {found}")
    least = min(market.least_limit(), WIRE_MAX)
    require(allowed >= least, "order_numbers", f"{row.intent}: {allowed}, below the least of {least}")
    dear = f"{row.intent}: {allowed}, and on its own chain alone {home} is enough"
    require(home is None or allowed <= home, "order_numbers", dear)
