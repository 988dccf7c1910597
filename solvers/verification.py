"""Whether a bid is feasible: every rule of the market, exactly and in integers.

`verify_bid` answers with a `FeasibleBid`, which carries all that follows from the bid (needs, prices,
payments, score, reserve, deadlines), or with the `Violation` of the first rule broken. Both depend on
the auction and the bid alone, never on rivals, and a solver's own claims are never used. The rules on
what a bid names and moves are in `solvers.contents`; those on cash, time and size are here.

Cash goes where it is needed: at a chain with fills that USDC reaches from another chain with fills,
directly or through other chains, the ceilings leave less than one micro-USDC per reduced unit over.
Cash that comes only from chains without fills (the proceeds of a sale) may be left over, and improves
what the owners there get. A venue's lock limit counts from the end of the solve window, when deals
are prepared.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chains.deadlines import Deadlines
from chains.units import USDC, WIRE_MAX
from router.coverage import Peers, fed_chains, gather_peers
from router.needs import cash_needs, touched_chains
from router.problem import Plan
from router.timing import last_decision_us, plan_deadlines
from solvers.bid import Bid
from solvers.contents import CONTENT_CHECKS
from solvers.outcome import ChainAmount, FilledOrder, Numbers, PackagePrice, numbers
from solvers.prices import fill_payments, set_prices
from solvers.problem import to_plan
from solvers.reasons import Rule
from solvers.view import AuctionView, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """The first rule that a bid breaks, with the numbers behind it."""

    rule: Rule
    numbers: Numbers
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balanced:
    """A bid whose lots add up, with what its cash and its time come to.

    Attributes
    ----------
    needs : micro-USDC by touched chain
    peers : by chain with fills
    """

    bid: Bid
    plan: Plan
    needs: Mapping[str, int]
    peers: Mapping[str, tuple[Peers, ...]]
    deadlines: Deadlines

    def left_over(self, chain: str) -> int:
        """Micro-USDC that the ceilings at a chain with fills bring beyond its need."""
        return sum(group.ceiling_total for group in self.peers[chain]) - self.needs[chain]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeasibleBid:
    """A bid that keeps every rule, with everything that follows from it.

    Attributes
    ----------
    digest : SHA-256 of the canonical bid
    needs : micro-USDC by touched chain, chains sorted
    score : micro-USDC by which the limits exceed the needs of the chains with fills; never negative
    reserve : the dust, and what is left over at chains without fills; rows of zero are left out
    """

    bid: Bid
    digest: str
    plan: Plan
    needs: Mapping[str, int]
    prices: tuple[PackagePrice, ...]
    fills: tuple[FilledOrder, ...]
    score: int
    reserve: tuple[ChainAmount, ...]
    deadlines: Deadlines

    @property
    def chains(self) -> tuple[str, ...]:
        """The chains that the bid touches, sorted."""
        return tuple(self.needs)


def verify_bid(view: AuctionView, bid: Bid) -> FeasibleBid | Violation:
    """Check a bid against every rule, in the order of `Rule`."""
    for rule, check in CONTENT_CHECKS.items():
        finding = check(view, bid)
        if finding is not None:
            return _violation(rule, finding)
    balanced = _balance(view, bid)
    for rule, check_balanced in BALANCE_CHECKS.items():
        finding = check_balanced(view, balanced)
        if finding is not None:
            return _violation(rule, finding)
    feasible = _price(view, balanced)
    finding = _amount_out_of_range(view, balanced, feasible)
    return feasible if finding is None else _violation(Rule.AMOUNT_OUT_OF_RANGE, finding)


def _balance(view: AuctionView, bid: Bid) -> Balanced:
    problem, plan = view.problem, to_plan(bid)
    return Balanced(
        bid=bid,
        plan=plan,
        needs=cash_needs(problem, plan, extra={fee.chain: fee.amount for fee in bid.fee}),
        peers=gather_peers(problem, plan),
        deadlines=plan_deadlines(problem, touched_chains(problem, plan)),
    )


def _price(view: AuctionView, balanced: Balanced) -> FeasibleBid:
    rows = tuple(
        PackagePrice(
            chain=chain, package=group.package, units=group.units, ceiling=group.ceiling, price=price
        )
        for chain, peers in balanced.peers.items()
        for group, price in zip(peers, set_prices(peers, balanced.needs[chain]), strict=True)
    )
    fills = tuple(_filled_orders(view, balanced, rows))
    paid: Counter[str] = Counter()
    for fill in fills:
        paid[fill.chain] += fill.payment
    kept = {chain: paid[chain] - need for chain, need in balanced.needs.items()}
    limits = sum(fill.payment + fill.surplus for fill in fills)
    return FeasibleBid(
        bid=balanced.bid,
        digest=balanced.bid.digest,
        plan=balanced.plan,
        needs=balanced.needs,
        prices=rows,
        fills=fills,
        score=limits - sum(balanced.needs[chain] for chain in balanced.peers),
        reserve=tuple(ChainAmount(chain=chain, amount=kept[chain]) for chain in sorted(kept) if kept[chain]),
        deadlines=balanced.deadlines,
    )


def _filled_orders(
    view: AuctionView, balanced: Balanced, rows: tuple[PackagePrice, ...]
) -> Iterator[FilledOrder]:
    prices = {(row.chain, row.package): row.price for row in rows}
    payments = fill_payments(view.problem, balanced.plan.fills, prices)
    for intent, units in balanced.plan.fills:
        demand = view.problem.demands[intent]
        yield FilledOrder(
            intent=intent,
            owner=demand.owner,
            chain=demand.chain,
            units=units,
            payment=payments[intent],
            surplus=demand.limit * units - payments[intent],
        )


def _limit_exceeded(_: AuctionView, balanced: Balanced) -> Finding | None:
    for chain, peers in balanced.peers.items():
        need, limits = balanced.needs[chain], sum(group.low_total for group in peers)
        if need > limits:
            text = f"{chain} needs {need} micro-USDC, and the lowest limits there bring {limits}"
            return Finding(where=chain, found=need, allowed=limits, text=text)
    return None


def _above_reference(_: AuctionView, balanced: Balanced) -> Finding | None:
    for chain, peers in balanced.peers.items():
        need, ceilings = balanced.needs[chain], sum(group.ceiling_total for group in peers)
        if need > ceilings:
            text = f"{chain} needs {need} micro-USDC, and the reference prices there allow {ceilings}"
            return Finding(where=chain, found=need, allowed=ceilings, text=text)
    return None


def _unfunded(_: AuctionView, balanced: Balanced) -> Finding | None:
    for chain, need in balanced.needs.items():
        if chain not in balanced.peers and need > 0:
            text = f"{chain} needs {need} micro-USDC, and nothing is filled there that could pay"
            return Finding(where=chain, found=need, allowed=0, text=text)
    return None


def _cash_misplaced(view: AuctionView, balanced: Balanced) -> Finding | None:
    fed = fed_chains(view.problem, balanced.plan)
    for chain, peers in balanced.peers.items():
        left, most = balanced.left_over(chain), sum(group.units for group in peers) - 1
        if chain in fed and left > most:
            text = f"{left} micro-USDC too much reaches {chain} from other chains with fills"
            return Finding(where=chain, found=left, allowed=most, text=text)
    return None


def _decided_too_late(view: AuctionView, balanced: Balanced) -> Finding | None:
    for intent, _ in balanced.plan.fills:
        end = view.problem.demands[intent].valid_until_us
        finding = _too_late(intent, balanced.deadlines.decide_by_us, end)
        if finding is not None:
            return finding
    return None


def _offer_not_firm(view: AuctionView, balanced: Balanced) -> Finding | None:
    for name, _ in balanced.plan.trades:
        end = last_decision_us(view.problem, view.problem.offers[name]) + 1
        finding = _too_late(name, balanced.deadlines.decide_by_us, end)
        if finding is not None:
            return finding
    return None


def _released_too_late(view: AuctionView, balanced: Balanced) -> Finding | None:
    problem, plan = view.problem, balanced.plan
    series = {leg for intent, _ in plan.fills for leg, _ in problem.demands[intent].legs}
    series |= {problem.offers[offer].series for offer, _ in plan.trades}
    series |= {asset for _, asset, _ in plan.transfers if asset != USDC}
    for name in sorted(series):
        finding = _too_late(name, balanced.deadlines.release_by_us, problem.series_expiry_us[name])
        if finding is not None:
            return finding
    return None


def _too_late(where: str, instant_us: int, end_us: int) -> Finding | None:
    if instant_us < end_us:
        return None
    text = f"the deal's deadline {instant_us} is not before {end_us} us, when {where} ends"
    return Finding(where=where, found=instant_us, allowed=end_us - 1, text=text)


def _amount_out_of_range(view: AuctionView, balanced: Balanced, feasible: FeasibleBid) -> Finding | None:
    for where, amount in _amounts(view, balanced, feasible):
        if abs(amount) > WIRE_MAX:
            text = f"{where} would be {amount}, beyond the {WIRE_MAX} that a number may be"
            return Finding(where=where, found=amount, allowed=WIRE_MAX, text=text)
    return None


def _amounts(view: AuctionView, balanced: Balanced, feasible: FeasibleBid) -> Iterator[tuple[str, int]]:
    """Sums that no product and no partial sum of the bid exceeds in size."""
    received = _received(view, balanced.plan)
    yield "lots moved", _lots_moved(view, balanced.plan)
    for chain, need in balanced.needs.items():
        yield f"cash received on {chain}", received[chain]
        yield f"cash paid on {chain}", need + received[chain]
    for peers in balanced.peers.values():
        yield "lowest limits", sum(abs(group.low_total) for group in peers)
        yield "ceilings", sum(abs(group.ceiling_total) for group in peers)
    yield "limits", sum(abs(fill.payment + fill.surplus) for fill in feasible.fills)
    yield "payments", sum(abs(fill.payment) for fill in feasible.fills)
    yield "surplus", sum(fill.surplus for fill in feasible.fills)
    yield "score", feasible.score
    yield "release", balanced.deadlines.release_by_us


def _received(view: AuctionView, plan: Plan) -> Counter[str]:
    """Micro-USDC that sales and arriving transfers bring, by chain."""
    received: Counter[str] = Counter()
    for name, lots in plan.trades:
        offer = view.problem.offers[name]
        if offer.side == "buy":
            received[view.problem.venues[offer.venue].chain] += offer.price * lots
    for bridge, asset, amount in plan.transfers:
        if asset == USDC:
            received[view.problem.bridges[bridge].target] += amount
    return received


def _lots_moved(view: AuctionView, plan: Plan) -> int:
    """Lots traded, sent and delivered in all."""
    demands = ((view.problem.demands[intent], units) for intent, units in plan.fills)
    delivered = sum(abs(ratio) * units for demand, units in demands for _, ratio in demand.legs)
    sent = sum(amount for _, asset, amount in plan.transfers if asset != USDC)
    return delivered + sent + sum(lots for _, lots in plan.trades)


BalanceCheck = Callable[[AuctionView, Balanced], Finding | None]

BALANCE_CHECKS: Final[dict[Rule, BalanceCheck]] = {
    Rule.LIMIT_EXCEEDED: _limit_exceeded,
    Rule.ABOVE_REFERENCE: _above_reference,
    Rule.UNFUNDED: _unfunded,
    Rule.CASH_MISPLACED: _cash_misplaced,
    Rule.DECIDED_TOO_LATE: _decided_too_late,
    Rule.OFFER_NOT_FIRM: _offer_not_firm,
    Rule.RELEASED_TOO_LATE: _released_too_late,
}
"""The rules on cash and time, in the order in which they are checked."""


def _violation(rule: Rule, finding: Finding) -> Violation:
    """A finding as a record; the text holds numbers whole that are too large for the wire."""
    cut = numbers(finding.where, finding.found, finding.allowed)
    return Violation(rule=rule, numbers=cut, text=finding.text)
