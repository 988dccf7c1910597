"""What the demo tells a person: a table of the rounds, three worked fills, and the totals."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chains.units import MICRO, USDC
from intents.archive import RecordedAuction, SettledDeal
from intents.rounds import RoundSummary
from router.problem import Problem
from solvers.bid import Bid
from solvers.codec import decode
from solvers.outcome import Deal, FilledOrder
from solvers.problem import to_problem

EXAMPLES: Final = 3
STEPS_MAX: Final = 9
"""The most trades and transfers of a deal that is easy to follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One fill with everything that explains it."""

    problem: Problem
    deal: Deal
    bid: Bid
    fill: FilledOrder
    settled: SettledDeal

    @property
    def interest(self) -> tuple[bool, int]:
        """How instructive it is: short enough to follow, and then how much there is to see in it."""
        steps = len(self.bid.trades) + len(self.bid.transfers)
        matched = self.fill.intent in matched_intents(self.problem, self.deal)
        legs = len(self.problem.demands[self.fill.intent].legs)
        seen = 4 * (matched and bool(self.bid.trades)) + 2 * len(self.deal.chains) + legs
        return steps <= STEPS_MAX, seen


def usd(micro: int) -> str:
    """Micro-USDC as dollars."""
    return f"{'-' if micro < 0 else ''}${abs(micro) / MICRO:,.2f}"


def matched_intents(problem: Problem, deal: Deal) -> set[str]:
    """The intents of a deal that meet another intent on the other side of a series."""
    sides: defaultdict[tuple[str, bool], set[str]] = defaultdict(set)
    for fill in deal.fills:
        for series, ratio in problem.demands[fill.intent].legs:
            sides[series, ratio > 0].add(fill.intent)
    return {
        intent
        for (series, buys), intents in sides.items()
        for intent in intents
        if sides.get((series, not buys), set()) - {intent}
    }


def winning_bids(record: RecordedAuction) -> dict[str, Bid]:
    """The winning bids of a recorded auction, by digest."""
    won = {deal.digest for deal in record.decided.deals}
    return {
        known.digest: decode(submission.content, Bid)
        for submission, known in zip(record.submissions, record.decided.bids, strict=True)
        if known.digest in won
    }


def print_rounds(console: Console, summaries: Sequence[RoundSummary]) -> None:
    """One line per round."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("round", "orders", "bids", "winners", "score", "bound", "optimal", "chains", "time"):
        table.add_column(column, justify="right", no_wrap=True)
    for number, each in enumerate(summaries, start=1):
        table.add_row(
            str(number),
            str(each.orders),
            str(each.bids),
            str(each.deals),
            usd(each.score),
            usd(each.bound),
            "yes" if each.proved else "no",
            str(len(each.chains)),
            f"{each.elapsed_us / MICRO:.2f} s",
        )
    console.print(table)


def print_examples(console: Console, records: Sequence[RecordedAuction]) -> None:
    """Worked fills, the most instructive first, each from another deal."""
    examples = [example for record in records for example in find_examples(record)]
    examples.sort(key=lambda example: example.interest, reverse=True)
    seen: set[str] = set()
    for example in examples:
        if example.deal.deal not in seen and len(seen) < EXAMPLES:
            seen.add(example.deal.deal)
            console.print(
                f"\nFill {len(seen)}: {escape(_order_line(example))}", style="bold", highlight=False
            )
            for line in (*_price_lines(example), *_route_lines(example), *_cost_lines(example)):
                console.print(f"  {line}", highlight=False, markup=False)


def find_examples(record: RecordedAuction) -> Iterator[Example]:
    """The fill of each deal that gained most."""
    bids = winning_bids(record)
    problem = to_problem(record.auction)
    settled = {each.deal: each for each in record.settlement}
    for deal in record.decided.deals:
        best = max(deal.fills, key=lambda fill: (fill.surplus, fill.intent))
        yield Example(
            problem=problem, deal=deal, bid=bids[deal.digest], fill=best, settled=settled[deal.deal]
        )


def _order_line(example: Example) -> str:
    demand = example.problem.demands[example.fill.intent]
    legs = ", ".join(
        f"{'buy' if ratio > 0 else 'sell'} {abs(ratio)} {series}" for series, ratio in demand.legs
    )
    return (
        f"{example.fill.units} of {demand.units} units of [{legs}] for {demand.owner[:10]}… on {demand.chain}"
    )


def _price_lines(example: Example) -> Iterator[str]:
    demand, fill = example.problem.demands[example.fill.intent], example.fill
    pays = "pays" if fill.payment >= 0 else "receives"
    yield (
        f"{pays} {usd(abs(fill.payment))}, limit {usd(abs(demand.limit * fill.units))}: "
        f"{usd(fill.surplus)} better than asked for"
    )
    peers = [other.intent for other in example.deal.fills if other.intent != fill.intent]
    if peers:
        deal = f"{example.deal.deal[:12]}… of {example.bid.solver}"
        yield f"settled together with {len(peers)} other intent(s) in deal {deal}"


def _route_lines(example: Example) -> Iterator[str]:
    for trade in example.bid.trades:
        offer = example.problem.offers[trade.offer]
        venue = example.problem.venues[offer.venue]
        verb = "buy" if offer.side == "sell" else "sell"
        where = f"{offer.venue} on {venue.chain}"
        yield f"{verb} {trade.lots} {offer.series} at {where} for {usd(offer.price)} a lot"
    for transfer in example.bid.transfers:
        bridge = example.problem.bridges[transfer.bridge]
        amount = usd(transfer.amount) if transfer.asset == USDC else f"{transfer.amount} {transfer.asset}"
        yield f"bridge {amount} from {bridge.source} to {bridge.target}"


def _cost_lines(example: Example) -> Iterator[str]:
    costs = deal_costs(example)
    yield "costs of the whole deal: " + ", ".join(f"{name} {usd(amount)}" for name, amount in costs.items())


def deal_costs(example: Example) -> Mapping[str, int]:
    """What a deal paid and to whom, in micro-USDC, read from its transfers: the sum is what owners paid."""
    paid: Counter[str] = Counter()
    for leg in example.settled.legs:
        for transfer in leg.transfers:
            if transfer.asset == USDC:
                paid[transfer.credit.partition(":")[0] + _fee_name(transfer.credit)] += transfer.amount
                paid[transfer.debit.partition(":")[0] + _fee_name(transfer.debit)] -= transfer.amount
    trades = 0
    for trade in example.bid.trades:
        offer = example.problem.offers[trade.offer]
        trades += offer.price * trade.lots * (1 if offer.side == "sell" else -1)
    costs = {
        "venue trades": trades,
        "venue fees": paid["venue"] - trades,
        "bridge fees": paid["fees bridge"],
        "settlement": paid["fees settlement"],
        "protocol": paid["fees protocol"],
        "solver": paid["solver"],
        "reserve": paid["reserve"],
    }
    return {name: amount for name, amount in costs.items() if amount}


def _fee_name(account: str) -> str:
    kind, _, name = account.partition(":")
    return f" {name}" if kind == "fees" else ""


def print_totals(console: Console, results: Mapping[str, Any]) -> None:
    """What it all came to."""
    surplus, single, greedy = (results[key] for key in ("surplus", "baseline_surplus", "greedy_surplus"))
    console.print(
        f"\n[bold]{results['intents_filled']} of {results['intents_posted']}[/bold] intents filled, "
        f"{results['intents_matched_with_intents']} of them against each other; "
        f"{results['chains_touched']} chains and {results['bridges_used']} bridges used; "
        f"{results['deals_settled']} deals settled, {results['deals_aborted']} aborted",
        highlight=False,
    )
    console.print(
        f"[bold]Surplus {usd(surplus)}[/bold]; the best single venue for each order: {usd(single)}"
        f"{_ratio(surplus, single)}; greedy over all chains: {usd(greedy)}{_ratio(surplus, greedy)}",
        highlight=False,
    )
    answers = {
        "every choice proved optimal": results["all_optimal"],
        "replay matches byte for byte": results["replay_match"],
        "independent verification": results["verify_ok"],
        "nothing created or lost": results["conserved"],
    }
    for name, holds in answers.items():
        console.print(f"  {'[green]yes[/green]' if holds else '[red]NO[/red]'}  {name}")
    console.print(f"Archive: {results['archive']}", highlight=False, soft_wrap=True)


def _ratio(surplus: int, other: int) -> str:
    return f" (x{surplus / other:.2f})" if other > 0 else ""
