"""The events of the market: the only things that change it, and the rows of its journal.

Each event says what came from outside and when (`at_us`, never before the event before it).
Everything else is derived: the engine folds events, so a journal is the whole market. A round is
three events: `AuctionCut` freezes the orders that take part, `AuctionPublished` holds the file that
solvers saw, `AuctionDecided` what they sent and what came of it.
"""

from typing import TypeAlias

from chains.snapshot import StockQuote
from chains.wire import Count, Id, Positive, Wire
from chains.world_file import WorldSpec
from intents.typed_data import OptionIntent
from solvers.auction import Auction, Rules
from solvers.outcome import Numbers, Outcome, Submission


class MarketTerms(Wire, frozen=True, kw_only=True):
    """What defines a market for good: its EIP-712 domain, its rounds and its rules.

    `round_us` is the interval between cuts, `solve_us` the solve window; `faucet_max` the largest
    simulated deposit in the asset's integer units (0: no faucet). `bond` is what every solver puts up on
    the hub before its first round (0: no bonds), `abort_fee` what an aborted deal costs its solver at
    least, both in micro-USDC.
    """

    chain_id: Positive
    verifying_contract: Id
    round_us: Positive
    solve_us: Positive
    faucet_max: Count
    rules: Rules
    bond: Count = 1_000_000_000
    abort_fee: Count = 1_000_000


class Genesis(Wire, frozen=True, kw_only=True, tag_field="event", tag="genesis"):
    """The first event: the world, the seed of all chance in it, and the market's terms."""

    at_us: Count
    seed: Count
    spec: WorldSpec
    terms: MarketTerms


class Deposited(Wire, frozen=True, kw_only=True, tag_field="event", tag="deposited"):
    """A simulated deposit of cash or coins."""

    at_us: Count
    owner: Id
    chain: Id
    asset: Id
    amount: Positive


class IntentPosted(Wire, frozen=True, kw_only=True, tag_field="event", tag="intent_posted"):
    """A signed intent whose signature was verified; `id` is its EIP-712 digest."""

    at_us: Count
    id: Id
    intent: OptionIntent
    signature: str


class IntentsCancelled(Wire, frozen=True, kw_only=True, tag_field="event", tag="intents_cancelled"):
    """A verified signed cancel of some intents."""

    at_us: Count
    owner: Id
    intents: tuple[str, ...]
    signature: str


class NoncesRevoked(Wire, frozen=True, kw_only=True, tag_field="event", tag="nonces_revoked"):
    """A verified signed cancel of every intent of an owner whose nonce is below `nonce`.

    `nonce` is a uint256 and therefore text: it may leave the wire's integers.
    """

    at_us: Count
    owner: Id
    nonce: str
    signature: str


class BondPosted(Wire, frozen=True, kw_only=True, tag_field="event", tag="bond_posted"):
    """A solver's bond, simulated: micro-USDC from outside to its bond account on the hub."""

    at_us: Count
    solver: Id
    amount: Positive


class StockQuoted(Wire, frozen=True, kw_only=True, tag_field="event", tag="stock_quoted"):
    """A solver's quotes at its stock venue: they replace those it had there, from the next cut on."""

    at_us: Count
    solver: Id
    venue: Id
    quotes: tuple[StockQuote, ...]


class Advanced(Wire, frozen=True, kw_only=True, tag_field="event", tag="advanced"):
    """The world runs on to `at_us`."""

    at_us: Count


class AuctionCut(Wire, frozen=True, kw_only=True, tag_field="event", tag="auction_cut"):
    """A round begins: the orders that are open now take part, whatever is cancelled until it ends."""

    at_us: Count
    auction: Id


class Withheld(Wire, frozen=True, kw_only=True):
    """An order that could not take part in a round: its reason (`OrderReason`) and the units behind it."""

    intent: Id
    reason: Id
    numbers: Numbers


class AuctionPublished(Wire, frozen=True, kw_only=True, tag_field="event", tag="auction_published"):
    """The auction file of the round, with its reference.

    `not_selected` are the orders that were left out for want of room, `withheld` those that could not take
    part.
    """

    at_us: Count
    auction: Auction
    not_selected: tuple[str, ...] = ()
    withheld: tuple[Withheld, ...] = ()


class AuctionDecided(Wire, frozen=True, kw_only=True, tag_field="event", tag="auction_decided"):
    """The round ends: every submission as it came, the house's among them, and the outcome."""

    at_us: Count
    auction: Id
    submissions: tuple[Submission, ...]
    outcome: Outcome


Event: TypeAlias = (
    Genesis
    | Deposited
    | IntentPosted
    | IntentsCancelled
    | NoncesRevoked
    | BondPosted
    | StockQuoted
    | Advanced
    | AuctionCut
    | AuctionPublished
    | AuctionDecided
)
