"""The deadlines of a bid's deal, and whether all that it uses lasts until then."""

from collections.abc import Collection
from fractions import Fraction
from math import ceil

from intents.verifying.flows import touched_chains
from intents.verifying.sheet import Sheet, require
from solvers.bid import Bid

Instants = tuple[int, int, int]
"""(lock by, decide by, release by), in microseconds on the hub's clock."""


def deal_instants(sheet: Sheet, bid: Bid) -> Instants:
    """The deadlines of the deal that a bid would be."""
    return instants_over(sheet, touched_chains(sheet, bid))


def instants_over(sheet: Sheet, touched: Collection[str]) -> Instants:
    """The deadlines of a deal over some chains that is prepared when the window closes."""
    rules, hub = sheet.auction.rules, sheet.chains[sheet.auction.hub]
    margin = Fraction(*rules.lock_margin)
    now = sheet.auction.cut_us + sheet.auction.solve_us
    chains = [sheet.chains[name] for name in sorted(touched)]
    if len(chains) == 1:
        span = chains[0].block_us + chains[0].relay_us
        instant = now + ceil(margin * span) + rules.outage_us + rules.skew_us
        return instant, instant, instant
    included = {chain.id: hub.block_us + chain.block_us + 2 * chain.relay_us for chain in chains}
    slowest = max(included[chain.id] + chain.finality_us for chain in chains)
    lock_by = now + ceil(margin * slowest) + rules.outage_us
    decide_by = lock_by + hub.finality_us + rules.skew_us
    release_by = decide_by + hub.finality_us + ceil(margin * max(included.values())) + rules.outage_us
    return lock_by, decide_by, release_by


def check_in_time(sheet: Sheet, bid: Bid, instants: Instants) -> None:
    """Refuse a bid of which something ends too early."""
    _, decide_by, release_by = instants
    now = sheet.auction.cut_us + sheet.auction.solve_us
    used = {transfer.asset for transfer in bid.transfers if transfer.asset != "USDC"}
    for fill in bid.fills:
        order = sheet.orders[fill.intent]
        used |= {series for series, _ in order.legs or ()}
        ends = order.valid_until * 1_000_000
        require(decide_by < ends, "decided_too_late", f"{fill.intent} ends at {ends}")
    for trade in bid.trades:
        offer = sheet.offers[trade.offer]
        used.add(offer.series)
        firm = offer.firm_until_us
        is_firm = not isinstance(firm, int) or decide_by < firm
        require(is_firm, "offer_not_firm", f"{offer.id} is firm until {firm}")
        lock = sheet.venues[offer.venue].max_lock_us
        require(decide_by - now < lock, "offer_not_firm", f"{offer.id} locks for {lock}")
    for name in sorted(used):
        ends = sheet.series[name].expiry * 1_000_000
        require(release_by < ends, "released_too_late", f"{name} expires at {ends}")
