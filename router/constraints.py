"""The rows of the joint model, family by family as the docstring of `router.model` lists them."""

from collections import defaultdict
from itertools import combinations

from chains.package import reduce_legs
from chains.units import BPS
from router.ceilings import add_ceilings, least_ceilings
from router.model import JointModel, Kind, Part, open_model
from router.patience import Patience
from router.problem import Demand, Problem
from router.timing import last_decision_us

Term = tuple[int, float]


def build_model(problem: Problem, kind: Kind, *, margin: int = 0, is_bound: bool = False) -> JointModel:
    """The whole model of a problem, ready to be solved and cut.

    `margin` micro-USDC per reduced unit are kept back from the ceilings: no bound holds then. `is_bound`
    says that its optimum is to be one, which only RELAXED and SEPARATE can be.
    """
    model = open_model(problem, kind, margin=margin, is_bound=is_bound)
    for part in model.parts:
        _balance(model, part)
        _use(model, part)
        _touch(model, part)
        _need(model, part)
        _cover(model, part)
        if kind is not Kind.RELAXED:
            _time(model, part)
            _self_match(model, part)
        if part.leader is not None:
            _lead(model, part, part.filled[part.leader])
            _place_cash(model, part)
    _share(model)
    return model


def _balance(model: JointModel, part: Part) -> None:
    problem = model.problem
    places: defaultdict[tuple[str, str], list[Term]] = defaultdict(list)
    for offer_id, column in part.trades.items():
        offer = problem.offers[offer_id]
        place = problem.venues[offer.venue].chain, offer.series
        places[place].append((column, 1 if offer.side == "sell" else -1))
    for (bridge_id, series), column in part.lots.items():
        bridge = problem.bridges[bridge_id]
        places[bridge.source, series].append((column, -1))
        places[bridge.target, series].append((column, 1))
    for demand in part.demands:
        column, units = part.units[demand.intent]
        for series, ratio in demand.legs:
            places[demand.chain, series].append((column, -ratio * units))
    for terms in places.values():
        model.program.add_row(terms, lower=0, upper=0)


def _use(model: JointModel, part: Part) -> None:
    problem, program = model.problem, model.program
    for demand in part.demands:
        filled, (units, _) = part.filled[demand.intent], part.units[demand.intent]
        if units != filled:
            program.add_row([(units, 1), (filled, -demand.units)], upper=0)
            program.add_row([(units, 1), (filled, -demand.min_units)], lower=0)
    for offer_id, column in part.trades.items():
        offer = problem.offers[offer_id]
        program.add_row([(column, 1), (part.venues[offer.venue], -offer.lots)], upper=0)
    for (bridge_id, series), column in part.lots.items():
        most = min(model.most_lots[series], problem.bridges[bridge_id].capacity_lots)
        program.add_row([(column, 1), (part.bridges[bridge_id], -most)], upper=0)
    for bridge_id, column in part.cash.items():
        most_cash = model.cash_capacity(problem.bridges[bridge_id])
        carries = part.carries_cash[bridge_id]
        program.add_row([(column, 1), (carries, -most_cash)], upper=0)
        program.add_row([(column, 1), (carries, -model.money(1))], lower=0)
        program.add_row([(carries, 1), (part.bridges[bridge_id], -1)], upper=0)


def _touch(model: JointModel, part: Part) -> None:
    problem, program = model.problem, model.program
    for demand in part.demands:
        _imply(model, part.filled[demand.intent], part.touched[demand.chain])
    for venue_id, column in part.venues.items():
        _imply(model, column, part.touched[problem.venues[venue_id].chain])
    for bridge_id, column in part.bridges.items():
        bridge = problem.bridges[bridge_id]
        for end in (bridge.source, bridge.target):
            _imply(model, column, part.touched[end])
            _imply(model, column, part.deals[end])
    for chain, column in part.touched.items():
        _imply(model, column, part.legs[chain])
    for chain, column in part.pays.items():
        fills = [(part.filled[demand.intent], -1.0) for demand in part.demands if demand.chain == chain]
        program.add_row([(column, 1.0), *fills], upper=0)


def _imply(model: JointModel, column: int, other: int) -> None:
    model.program.add_row([(column, 1), (other, -1)], upper=0)


def _need(model: JointModel, part: Part) -> None:
    problem = model.problem
    terms: dict[str, list[Term]] = {chain: [(column, -1.0)] for chain, column in part.needs.items()}
    for offer_id, column in part.trades.items():
        offer = problem.offers[offer_id]
        venue = problem.venues[offer.venue]
        price = offer.price if offer.side == "sell" else -offer.price
        terms[venue.chain].append((column, model.money(price + venue.fee_per_lot)))
    for venue_id, column in part.venues.items():
        venue = problem.venues[venue_id]
        terms[venue.chain].append((column, model.money(venue.fee_touch)))
    for bridge_id, column in part.bridges.items():
        bridge = problem.bridges[bridge_id]
        terms[bridge.source].append((column, model.money(bridge.fee_fixed)))
    for (bridge_id, _), column in part.lots.items():
        bridge = problem.bridges[bridge_id]
        terms[bridge.source].append((column, model.money(bridge.fee_per_lot)))
    for bridge_id, column in part.cash.items():
        bridge = problem.bridges[bridge_id]
        terms[bridge.source].append((column, 1 + bridge.fee_cash_bps / BPS))
        terms[bridge.target].append((column, -1.0))
    for demand in part.demands:
        column, units = part.units[demand.intent]
        lots = sum(abs(ratio) for _, ratio in demand.legs) * units
        fee = problem.chains[demand.chain].settle_fee_fill
        terms[demand.chain].append((part.filled[demand.intent], model.money(fee)))
        terms[demand.chain].append((column, model.money(lots * problem.fee_per_lot)))
    for chain, row in terms.items():
        row.append((part.legs[chain], model.money(problem.chains[chain].settle_fee_leg)))
        row.append((part.deals[chain], model.money(problem.chains[chain].deal_fee)))
        model.program.add_row(row, lower=0, upper=0)


def _cover(model: JointModel, part: Part) -> None:
    """On every chain, what the ceilings bring covers the need; nothing does where nothing is filled."""
    ceilings = add_ceilings(model, part)
    rows = {chain: [(need, 1.0)] for chain, need in part.needs.items()}
    for chain, columns in ceilings.items():
        rows[chain] += [(column, -1.0) for column in columns]
    for demand in part.demands if model.margin else ():
        column, units = part.units[demand.intent]
        kept = model.margin * units * reduce_legs(demand.legs)[1]
        rows[demand.chain].append((column, model.money(kept)))
    for row in rows.values():
        model.program.add_row(row, upper=0)


def _self_match(model: JointModel, part: Part) -> None:
    """Two demands of one owner on opposite sides of a series are not both in one bid."""
    owned: defaultdict[str, list[Demand]] = defaultdict(list)
    for demand in part.demands:
        owned[demand.owner].append(demand)
    for demands in owned.values():
        for first, second in combinations(demands, 2):
            ratios = dict(first.legs)
            if any(ratios.get(series, 0) * ratio < 0 for series, ratio in second.legs):
                columns = (part.filled[first.intent], part.filled[second.intent])
                model.program.add_row([(column, 1) for column in columns], upper=1)


def _time(model: JointModel, part: Part) -> None:
    """Nothing is in one bid with chains that are too slow for it."""
    problem, patience = model.problem, Patience(model.problem)
    for demand in part.demands:
        ends = min(problem.series_expiry_us[series] for series, _ in demand.legs)
        column = part.filled[demand.intent]
        for slow in patience.too_slow(demand.chain, demand.valid_until_us, ends):
            row = [(column, 1), *((part.touched[chain], 1) for chain in slow)]
            model.program.add_row(row, upper=len(slow))
    for offer_id, column in part.trades.items():
        offer = problem.offers[offer_id]
        until = last_decision_us(problem, offer) + 1
        ends = problem.series_expiry_us[offer.series]
        for slow in patience.too_slow(problem.venues[offer.venue].chain, until, ends):
            row = [(column, 1), *((part.touched[chain], offer.lots) for chain in slow)]
            model.program.add_row(row, upper=len(slow) * offer.lots)


def _lead(model: JointModel, part: Part, leader: int) -> None:
    """A part without its leader is empty."""
    for columns in (part.filled, part.venues, part.bridges):
        for column in columns.values():
            if column != leader:
                _imply(model, column, leader)


def _place_cash(model: JointModel, part: Part) -> None:
    """Cash is not sent from fills to fills that do not need it, only to tie a bid together.

    A chain is fed once cash reaches it from a chain with fills. Where something is filled on a fed chain,
    the need is no less than the least that the ceilings there may bring.
    """
    problem, program = model.problem, model.program
    fed = {chain: program.add_column(upper=1) for chain in problem.chains}
    for bridge_id, carries in part.carries_cash.items():
        bridge = problem.bridges[bridge_id]
        fills = [part.filled[demand.intent] for demand in part.demands if demand.chain == bridge.source]
        for column in (fed[bridge.source], *fills):
            program.add_row([(fed[bridge.target], -1), (carries, 1), (column, 1)], upper=1)
    least = least_ceilings(model, part)
    for demand in part.demands:
        switches = [(fed[demand.chain], -2 * model.purse), (part.filled[demand.intent], -2 * model.purse)]
        row = [(part.needs[demand.chain], 1.0), *least[demand.chain], *switches]
        program.add_row(row, lower=-4 * model.purse)


def _share(model: JointModel) -> None:
    """What parts compete for; with one part, what the bounds of its columns do not hold yet."""
    problem, program, parts = model.problem, model.program, model.parts
    groups: defaultdict[tuple[str, str], list[Term]] = defaultdict(list)
    for intent, demand in problem.demands.items():
        terms = [(part.filled[intent], 1.0) for part in parts if intent in part.filled]
        if len(parts) > 1:
            program.add_row(terms, upper=1)
        if demand.group:
            groups[demand.owner, demand.group] += terms
    for terms in groups.values():
        program.add_row(terms, upper=1)
    for bridge in problem.bridges.values():
        columns = [
            (column, 1.0) for part in parts for (name, _), column in part.lots.items() if name == bridge.id
        ]
        if columns:
            program.add_row(columns, upper=bridge.capacity_lots)
        if len(parts) > 1 and bridge.capacity_cash:
            cash = [(part.cash[bridge.id], 1.0) for part in parts]
            program.add_row(cash, upper=model.cash_capacity(bridge))
    if len(parts) > 1:
        for offer in problem.offers.values():
            program.add_row([(part.trades[offer.id], 1) for part in parts], upper=offer.lots)
