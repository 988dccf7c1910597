"""Did every deal settle whole or not at all, and did its transfers move just what was decided?

Read from the recorded transfers of each deal. `owner:` and `written:` accounts of one owner are
taken together: moving collateral between them changes nothing the owner has.
"""

from collections import Counter, defaultdict

from intents.archive import SettledDeal
from intents.verifying.bids import Sheet, require
from solvers.outcome import Deal

_OWNED = ("owner", "written")


def check_settlement(sheet: Sheet, deal: Deal, settled: SettledDeal) -> None:
    """Refuse a deal whose legs end differently, leak, or do not carry out the fills."""
    where = f"deal {deal.deal}"
    require(tuple(leg.chain for leg in settled.legs) == deal.chains, "settlement_chains", where)
    states = {leg.state for leg in settled.legs}
    require(not {"released", "refunded"} <= states, "half_settled", f"{where}: {sorted(states)}")
    if settled.state == "settled":
        require(states == {"released"}, "half_settled", f"{where} is settled with legs {sorted(states)}")
    if settled.state == "closed":
        require("released" not in states, "half_settled", f"{where} is closed with legs {sorted(states)}")
    moved = _movements(settled)
    for (chain, account, asset), amount in moved.items():
        kind, _, name = account.partition(":")
        require(kind != "deal" or amount == 0, "conservation", f"{where} keeps {amount} {asset} on {chain}")
        known = kind not in _OWNED or any(fill.owner == name and fill.chain == chain for fill in deal.fills)
        require(known, "stranger_paid", f"{where} moves {asset} of {account} on {chain}")
    _check_bridges(sheet, moved, where)
    _check_owners(sheet, deal, moved, where)


def _movements(settled: SettledDeal) -> Counter[tuple[str, str, str]]:
    moved: Counter[tuple[str, str, str]] = Counter()
    for leg in settled.legs:
        for transfer in leg.transfers:
            moved[leg.chain, transfer.debit, transfer.asset] -= transfer.amount
            moved[leg.chain, transfer.credit, transfer.asset] += transfer.amount
    return moved


def _check_bridges(sheet: Sheet, moved: Counter[tuple[str, str, str]], where: str) -> None:
    custody: Counter[tuple[str, str]] = Counter()
    for (chain, account, asset), amount in moved.items():
        kind, _, name = account.partition(":")
        if kind == "bridge":
            ends = (sheet.bridges[name].source, sheet.bridges[name].target)
            require(chain in ends, "conservation", f"{where}: bridge {name} does not reach {chain}")
            custody[name, asset] += amount
    for (name, asset), amount in custody.items():
        require(amount == 0, "conservation", f"{where}: bridge {name} gains {amount} {asset}")


def _check_owners(sheet: Sheet, deal: Deal, moved: Counter[tuple[str, str, str]], where: str) -> None:
    due: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for fill in deal.fills:
        due[fill.chain, fill.owner, "USDC"] -= fill.payment
        for series, ratio in sheet.orders[fill.intent].legs or ():
            due[fill.chain, fill.owner, series] += ratio * fill.units
    got: Counter[tuple[str, str, str]] = Counter()
    for (chain, account, asset), amount in moved.items():
        kind, _, name = account.partition(":")
        if kind in _OWNED:
            got[chain, name, asset] += amount
    for place in sorted({*due, *got}):
        require(
            got[place] == due[place], "not_delivered", f"{where}: {place} got {got[place]}, due {due[place]}"
        )
