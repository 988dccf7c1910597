"""Did every deal settle whole or not at all, and did its transfers move just what was decided?

Read from the recorded transfers of each deal, as what every account gains or loses on a chain. What
venues, bridges, fees, the solver and the reserve get is what the bid sends there, but for the reward,
which the solver gets out of the protocol fees. What an owner gets is its legs for its payment. How that
is split between an owner's free account and its written ones, one for each maturity, follows from which
sold legs closed a position, which only the market knew when it admitted the intent: some choice of
closing legs must explain the recorded split, collateral included.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain as concatenate
from itertools import combinations
from typing import Final

from intents.archive import SettledDeal
from intents.verifying.bids import Judged
from intents.verifying.collateral import places
from intents.verifying.sheet import Sheet, require
from solvers.outcome import Deal, FilledOrder

Net = Counter[tuple[str, str, str]]
"""(chain, account, asset) -> what the account gains."""

_Moves = frozenset[tuple[tuple[str, str], int]]
"""What an owner's accounts gain on a chain: ((``owner`` or maturity, asset), amount), without zeros."""

LEG_STATES: Final = {
    "preparing": {"none", "locked", "refused"},
    "committed": {"locked", "released"},
    "aborted": {"none", "locked", "refused", "refunded", "tombstone"},
    "settled": {"released"},
    "closed": {"refused", "refunded", "tombstone"},
}
"""The states that the legs of a deal in each state may be in."""

WAYS_MAX: Final = 20_000
"""How many different sums of an owner's moves are kept, fill after fill; only an owner with many fills of
many different sizes in one series and deal has more. What cannot be told then is refused, not believed."""


def check_settlement(sheet: Sheet, deal: Deal, judged: Judged, settled: SettledDeal) -> None:
    """Refuse a deal whose legs end differently, leak, or do not carry out the fills."""
    where = f"deal {deal.deal}"
    require(tuple(leg.chain for leg in settled.legs) == deal.chains, "settlement_chains", where)
    require(settled.state in LEG_STATES, "settlement_state", f"{where}: {settled.state}")
    states = {leg.state for leg in settled.legs}
    fits = states <= LEG_STATES[settled.state]
    require(fits, "half_settled", f"{where} is {settled.state} with legs {sorted(states)}")
    require(settled.at_us >= sheet.auction.cut_us, "settlement_time", f"{where}: {settled.at_us}")
    moved = _movements(settled)
    _check_others(deal, judged, moved, where)
    _check_owners(sheet, deal, moved, where)


def _movements(settled: SettledDeal) -> Net:
    moved: Net = Counter()
    for leg in settled.legs:
        for transfer in leg.transfers:
            moved[leg.chain, transfer.debit, transfer.asset] -= transfer.amount
            moved[leg.chain, transfer.credit, transfer.asset] += transfer.amount
    return _without_zeros(moved)


def _without_zeros(net: Net) -> Net:
    return Counter({place: amount for place, amount in net.items() if amount})


def _is_owned(account: str) -> bool:
    return account.startswith(("owner:", "written:"))


def _split(account: str) -> tuple[str, str]:
    """Whose account it is, and which: ``owner``, or the maturity in which legs are written."""
    kind, _, name = account.partition(":")
    owner, _, maturity = name.partition("/")
    return owner, maturity if kind == "written" else kind


def _check_others(deal: Deal, judged: Judged, moved: Net, where: str) -> None:
    """All accounts but the owners': among them the deal's own, which must come out even."""
    due: Net = Counter()
    for chain, account, asset, amount in judged.flows.movements:
        due[chain, account, asset] += amount
    for chain, amount in judged.reserve.items():
        due[chain, "reserve", "USDC"] += amount
    for part in deal.reward:
        due[part.chain, "fees:protocol", "USDC"] -= part.amount
        due[part.chain, f"solver:{deal.solver}", "USDC"] += part.amount
    due = _without_zeros(due)
    found = {place: amount for place, amount in moved.items() if not _is_owned(place[1])}
    for place in sorted({*due, *found}):
        rule = "conservation" if place[1].startswith("deal:") else "not_paid"
        got = found.get(place, 0)
        require(got == due[place], rule, f"{where}: {place} got {got}, due {due[place]}")
    _check_sums(moved, where)


def _check_sums(moved: Net, where: str) -> None:
    total: Counter[tuple[str, str]] = Counter()
    for (chain, _, asset), amount in moved.items():
        total[chain, asset] += amount
    for place, amount in total.items():
        require(amount == 0, "conservation", f"{where}: {place} sums to {amount}")


def _check_owners(sheet: Sheet, deal: Deal, moved: Net, where: str) -> None:
    fills: dict[tuple[str, str], list[FilledOrder]] = {}
    for fill in deal.fills:
        fills.setdefault((fill.chain, fill.owner), []).append(fill)
    for chain, account, asset in moved:
        known = not _is_owned(account) or (chain, _split(account)[0]) in fills
        require(known, "stranger_paid", f"{where} moves {asset} of {account} on {chain}")
    for (chain, owner), own in fills.items():
        got = {
            (_split(account)[1], asset): amount
            for (at, account, asset), amount in moved.items()
            if at == chain and _is_owned(account) and _split(account)[0] == owner
        }
        due = _due(sheet, own)
        total: Counter[str] = Counter()
        for (_, asset), amount in got.items():
            total[asset] += amount
        for asset in sorted({*due, *total}):
            found = f"{where}: {owner} on {chain} got {total[asset]} {asset}, due {due[asset]}"
            require(total[asset] == due[asset], "not_delivered", found)
        require(_explains(sheet, own, got), "collateral", f"{where}: {owner} on {chain}: {got}")


def _due(sheet: Sheet, own: Sequence[FilledOrder]) -> Counter[str]:
    due: Counter[str] = Counter()
    for fill in own:
        due["USDC"] -= fill.payment
        for series, ratio in sheet.orders[fill.intent].legs or ():
            due[series] += ratio * fill.units
    return due


def _explains(sheet: Sheet, own: Sequence[FilledOrder], split: dict[tuple[str, str], int]) -> bool:
    """Whether some choice of closing legs gives this split of what an owner gets on a chain."""
    sums: set[_Moves] = {frozenset()}
    for fill in own:
        ways = list(_ways(sheet, fill, split))
        sums = {added for before in sums for way in ways if (added := _add(before, way, split)) is not None}
        text = f"{fill.owner} on {fill.chain}: more than {WAYS_MAX} ways to explain what was moved"
        require(len(sums) <= WAYS_MAX, "collateral_untold", text)
    return frozenset(split.items()) in sums


def _add(before: _Moves, way: Counter[tuple[str, str]], split: dict[tuple[str, str], int]) -> _Moves | None:
    """The sum of two moves; None where the free account has lost more lots of a series than in the end."""
    total = dict(before)
    for place, amount in way.items():
        total[place] = total.get(place, 0) + amount
        kind, asset = place
        if kind == "owner" and asset != "USDC" and amount < 0 and total[place] < split.get(place, 0):
            return None
    return frozenset((place, amount) for place, amount in total.items() if amount)


def _ways(
    sheet: Sheet, fill: FilledOrder, split: dict[tuple[str, str], int]
) -> Iterator[Counter[tuple[str, str]]]:
    """What a fill moves in the accounts of its owner, for every choice of closing legs.

    An owner is never on both sides of a series in one deal, so a leg closes a position only where the
    free account loses lots of its series.
    """
    legs = sheet.orders[fill.intent].legs or ()
    sold = [series for series, ratio in legs if ratio < 0 and split.get(("owner", series), 0) < 0]
    for closing in concatenate.from_iterable(combinations(sold, size) for size in range(len(sold) + 1)):
        moves: Counter[tuple[str, str]] = Counter({("owner", "USDC"): -fill.payment})
        for series, ratio in legs:
            if series in closing:
                moves["owner", series] += ratio * fill.units
        rest = [(series, ratio) for series, ratio in legs if series not in closing]
        for place, amount in places(sheet, rest).items():
            moves[place] += amount * fill.units
        yield moves
