"""The engine: the market as a deterministic state machine over its events.

`handle` validates one event and applies it, or refuses it and changes nothing. The engine never
reads a clock, a file, a socket or ambient randomness, and never calls a solver: whatever happened
outside is in the event. Two engines that handled the same events are equal.

A round takes three events. `AuctionCut` brings the world up to date, ends what has expired and marks
the open orders as taking part; `auction()` is then the file, without its reference. What becomes of a
round that is cut and never decided is nothing: the next cut takes its place. `AuctionDecided` pledges
the units of every winning deal, hands its transfers to the world and ends the round.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from chains.commit import DealState
from chains.ledger import OUTSIDE, Transfer, bond_account, owner_account
from chains.series import LOT_SIZES
from chains.units import COIN, USDC, ceil_div
from chains.world import DealUpdate, World
from intents.admission import LIMITS, MarketTermsView, check_terms
from intents.book import Book, BookIntent
from intents.errors import EngineError
from intents.events import (
    Advanced,
    AuctionCut,
    AuctionDecided,
    AuctionPublished,
    BondPosted,
    Deposited,
    Event,
    Genesis,
    IntentPosted,
    IntentsCancelled,
    NoncesRevoked,
    StockQuoted,
    Withheld,
)
from intents.instance import cut_auction
from intents.penalties import is_own_fault, pay_penalty, penalty_due
from intents.refusals import Code, Refused, refuse
from intents.released import Taken, taken_early
from intents.settlement import plan_settlement
from intents.solver_accounts import SolverAccounts
from intents.stock_quotes import PRICE_MAX
from solvers.auction import Auction
from solvers.bid import Bid
from solvers.codec import decode
from solvers.outcome import HOUSE, Deal, Outcome, Submission
from solvers.problem import to_problem

DEPOSITS_MAX: Final = 2**52
"""What all deposits on a chain are worth together, and how much of one asset they are: half the wire's
integers, so that no balance leaves them. Coins count at the highest forward in micro-USDC, which is what
they may have to be sold for when what they cover expires."""

BROUGHT_MAX: Final = DEPOSITS_MAX + 2**50
"""The same with the bonds of solvers: deposits, which anybody may make, leave room for those."""


_BROUGHT: Final = (USDC, *LOT_SIZES)
"""What can come from outside: cash and every coin."""


class Engine:
    """The state of one market.

    Attributes
    ----------
    genesis : the event it was born from
    book, world : its two halves; read them, change them only through `handle`
    solvers : what became of every solver's deals, bonds and earnings
    now_us : the instant of the last event
    round_number : how many rounds were cut
    not_selected : ids left out of the auction of the running round for want of room
    withheld : orders that could not take part in it, and why: see `intents.book`
    """

    def __init__(self, genesis: Genesis) -> None:
        self.genesis = genesis
        self.book = Book(open_max=LIMITS.open_max)
        self.world = World(genesis.spec, seed=genesis.seed, start_us=genesis.at_us)
        self.now_us = genesis.at_us
        self.round_number = 0
        self.not_selected: tuple[str, ...] = ()
        self.withheld: tuple[Withheld, ...] = ()
        self.solvers = SolverAccounts()
        self._taken: Taken = {}
        self._cut: Auction | None = None
        self._published: Auction | None = None
        self._handlers: Mapping[type, Callable[..., Refused | None]] = {
            Deposited: self._deposit,
            IntentPosted: self._post,
            IntentsCancelled: self._cancel,
            NoncesRevoked: self._revoke,
            StockQuoted: self._quote_stock,
            BondPosted: self._post_bond,
            Advanced: self._advance,
            AuctionCut: self._begin_round,
            AuctionPublished: self._publish,
            AuctionDecided: self._decide,
        }

    @property
    def next_auction_id(self) -> str:
        """The id of the next round's auction."""
        return f"auction-{self.round_number + 1:06d}"

    @property
    def running(self) -> Auction | None:
        """The published auction of the running round, if one is running."""
        return self._published

    def handle(self, event: Event) -> Refused | None:
        """Apply one event, or refuse it and change nothing.

        Raises
        ------
        EngineError
            If the event lies before the last one or does not belong here: a bug in the caller.
        """
        handler = self._handlers.get(type(event))
        if handler is None:
            raise EngineError(f"a running market cannot handle {type(event).__name__}")
        if event.at_us < self.now_us:
            raise EngineError(f"{type(event).__name__} at {event.at_us} comes before {self.now_us}")
        refused = handler(event)
        if refused is None:
            self.now_us = event.at_us
        return refused

    def auction(self) -> Auction:
        """The auction file of the round that was just cut, without its reference.

        Raises
        ------
        EngineError
            If no round is cut, or its auction is already published.
        """
        if self._cut is None:
            raise EngineError("no round is cut and unpublished")
        return self._cut

    def funds(self, owner: str, chain: str, asset: str) -> int:
        """What an owner's free account has, as `intents.book` counts it.

        Pending transfers are not subtracted, and what a leg has taken counts until its deal has ended.
        """
        account = owner_account(owner)
        taken = self._taken.get((chain, account, asset), 0) if self._taken else 0
        return self.world.ledgers[chain].balance(account, asset) + taken

    def bond_of(self, solver: str) -> int:
        """Micro-USDC that are left of a solver's bond."""
        return self.world.ledgers[self.genesis.spec.hub].balance(bond_account(solver), USDC)

    def _deposit(self, event: Deposited) -> Refused | None:
        if event.chain not in self.world.ledgers:
            return refuse(Code.UNKNOWN_CHAIN, "chain", event.chain)
        if event.asset != USDC and event.asset not in LOT_SIZES:
            return refuse(
                Code.UNKNOWN_ASSET, "asset", event.asset, f"deposit {USDC} or {', '.join(sorted(LOT_SIZES))}"
            )
        most = self.genesis.terms.faucet_max
        if event.amount > most:
            return refuse(Code.FAUCET_LIMIT, "amount", event.amount, f"at most {most} in one deposit")
        refused = self._check_brought(event.chain, event.asset, event.amount, most=DEPOSITS_MAX)
        if refused is None:
            self.world.deposit(event.owner, event.chain, event.asset, event.amount)
        return refused

    def _post_bond(self, event: BondPosted) -> Refused | None:
        if event.solver == HOUSE:
            raise EngineError(f"{HOUSE} puts up no bond")
        hub = self.genesis.spec.hub
        refused = self._check_brought(hub, USDC, event.amount, most=BROUGHT_MAX)
        if refused is None:
            bond = Transfer(debit=OUTSIDE, credit=bond_account(event.solver), asset=USDC, amount=event.amount)
            self.world.transfer(hub, [bond])
            self.solvers.post_bond(event.solver, event.amount)
        return refused

    def _check_brought(self, chain: str, asset: str, amount: int, *, most: int) -> Refused | None:
        """Refuse what would bring more from outside than a chain can hold."""
        ledger = self.world.ledgers[chain]
        given = -ledger.balance(OUTSIDE, asset)
        if given + amount > most:
            message = f"all deposits of {asset} on a chain may reach {most}, {given} are there"
            return refuse(Code.FAUCET_LIMIT, "amount", amount, message)
        worth = sum([self._worth(each, -ledger.balance(OUTSIDE, each)) for each in _BROUGHT])
        if worth + self._worth(asset, amount) > most:
            message = f"all deposits on a chain may be worth {most} micro-USDC, and are worth {worth}"
            return refuse(Code.FAUCET_LIMIT, "amount", amount, message)
        return None

    def _worth(self, asset: str, amount: int) -> int:
        """Micro-USDC, rounded up; coins at their highest forward."""
        if asset == USDC:
            return amount
        return ceil_div(amount * self.world.highest_forward(asset), COIN)

    def _post(self, event: IntentPosted) -> Refused | None:
        if self.book.get(event.id) is not None:
            return None
        terms = MarketTermsView(chains=self.world.ledgers, series=self.world.listed)
        refused = check_terms(event.intent, terms, event.at_us)
        if refused is not None:
            return refused
        answer = self.book.admit(event.id, event.intent, now_us=event.at_us, funds=self.funds)
        return answer if isinstance(answer, Refused) else None

    def _cancel(self, event: IntentsCancelled) -> Refused | None:
        answer = self.book.cancel(event.owner, event.intents, now_us=event.at_us)
        return answer if isinstance(answer, Refused) else None

    def _revoke(self, event: NoncesRevoked) -> None:
        self.book.cancel_below(event.owner, int(event.nonce), now_us=event.at_us)

    def _quote_stock(self, event: StockQuoted) -> Refused | None:
        """Replace a solver's quotes between two rounds: a running round's offers must not go away."""
        if self._cut is not None or self._published is not None:
            raise EngineError(f"quotes of {event.solver} for {event.venue} come while a round is running")
        if self.world.stock_solvers.get(event.venue) != event.solver:
            return refuse(Code.NOT_YOUR_VENUE, "venue", event.venue)
        for place, quote in enumerate(event.quotes):
            if quote.series not in self.world.listed:
                return refuse(Code.UNKNOWN_SERIES, f"quotes[{place}].series", quote.series)
            if quote.price > PRICE_MAX:
                return refuse(
                    Code.OUT_OF_RANGE, f"quotes[{place}].price", quote.price, f"at most {PRICE_MAX}"
                )
        why_not = self.world.quote_stock(event.venue, event.quotes)
        return refuse(Code.QUOTES_REFUSED, "quotes", len(event.quotes), why_not) if why_not else None

    def _advance(self, event: Advanced) -> None:
        self._run_world(event.at_us)

    def _begin_round(self, event: AuctionCut) -> None:
        if event.auction != self.next_auction_id:
            raise EngineError(f"the next auction is {self.next_auction_id}, not {event.auction}")
        self._run_world(event.at_us)
        if self._cut is not None or self._published is not None:
            self.book.void_round()
        self.book.extend_cover(self.funds)
        orders, withheld = self.book.waiting_orders(event.at_us)
        self.withheld = tuple(self._explain(withheld))
        terms = self.genesis.terms
        self._cut, self.not_selected = cut_auction(
            orders,
            self.world.snapshot(),
            auction=event.auction,
            solve_us=terms.solve_us,
            rules=terms.rules,
        )
        self._published = None
        self.book.begin_round(order.intent for order in self._cut.orders)
        self.round_number += 1

    def _explain(self, withheld: Iterable[BookIntent]) -> Iterator[Withheld]:
        for entry in withheld:
            reason, numbers = self.book.why_withheld(entry)
            yield Withheld(intent=entry.id, reason=reason.value, numbers=numbers)

    def _publish(self, event: AuctionPublished) -> None:
        """Only the reference, and marks, which decide nothing, may differ from what was cut."""
        cut, published = self._cut, event.auction
        if cut is None or published.auction != cut.auction:
            raise EngineError(f"{published.auction} is not the round that was cut")
        if replace(published, reference=(), marks=cut.marks) != cut:
            raise EngineError(f"{published.auction} was published with another content than was cut")
        if event.not_selected != self.not_selected:
            raise EngineError(f"{published.auction} was published with other orders left out")
        if event.withheld != self.withheld:
            raise EngineError(f"{published.auction} was published with other orders withheld")
        self._cut, self._published = None, published

    def _decide(self, event: AuctionDecided) -> None:
        auction, outcome = self._published, event.outcome
        if auction is None or event.auction != auction.auction:
            raise EngineError(f"{event.auction} is not the running round")
        if (outcome.auction, outcome.content_hash) != (auction.auction, auction.content_hash):
            raise EngineError(f"the outcome of {event.auction} is that of another auction")
        if len(outcome.bids) != len(event.submissions):
            raise EngineError(f"{len(event.submissions)} submissions have {len(outcome.bids)} records")
        self._run_world(event.at_us)
        self._settle_winners(auction, outcome, event.submissions)
        self.book.end_round()
        self._published = None

    def _settle_winners(
        self, auction: Auction, outcome: Outcome, submissions: tuple[Submission, ...]
    ) -> None:
        problem = to_problem(auction)
        contents = {
            record.digest: submission.content
            for record, submission in zip(outcome.bids, submissions, strict=True)
        }
        for deal in outcome.deals:
            requirements = {}
            for fill in deal.fills:
                self.book.pledge(deal.deal, fill.intent, units=fill.units, payment=fill.payment)
                intent = self.book.get(fill.intent)
                assert intent is not None, "a pledged intent is in the book"
                requirements[fill.intent] = intent.requirement
            bid = decode(contents[deal.digest], Bid)
            self.solvers.begin(deal, bid)
            plan = plan_settlement(problem, bid=bid, deal=deal, requirements=requirements)
            self.world.prepare(plan)

    def _run_world(self, until_us: int) -> None:
        for update in self.world.advance(until_us):
            self._follow(update)
        self._taken = taken_early(self.world.deals, self.book.deals())
        self.book.expire(until_us)

    def _follow(self, update: DealUpdate) -> None:
        if update.state is DealState.SETTLED:
            self.book.settle(update.deal)
            self.solvers.settle(update.deal)
        elif update.state is DealState.CLOSED:
            self.book.abort(update.deal)
            self._penalise(self.solvers.abort(update.deal))

    def _penalise(self, deal: Deal) -> None:
        """Take what an aborted deal costs from its solver's bond; see `intents.penalties`."""
        record = self.world.deals[deal.deal]
        own_fault = is_own_fault(record, deal.solver, self.world.stock_solvers)
        due = penalty_due(deal, record, abort_fee=self.genesis.terms.abort_fee, is_own_fault=own_fault)
        taken = min(due, self.bond_of(deal.solver))
        if taken:
            self.world.transfer(self.genesis.spec.hub, pay_penalty(deal, taken))
            self.solvers.penalise(deal.solver, taken)
