from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from chains.deadlines import Deadlines, Timing, deal_deadlines
from chains.snapshot import ChainTerms

spans = st.integers(0, 10**10)
NOW = 1_777_593_600_000_000


def chain(name: str, block_us: int, finality_us: int, relay_us: int) -> ChainTerms:
    return ChainTerms(
        id=name,
        block_us=block_us,
        finality_us=finality_us,
        relay_us=relay_us,
        settle_fee_leg=0,
        settle_fee_fill=0,
        deal_fee=0,
    )


@st.composite
def deals(draw: st.DrawFn, *, at_least: int) -> tuple[list[ChainTerms], ChainTerms, Timing]:
    names = draw(st.lists(st.sampled_from("bcdef"), min_size=at_least, max_size=4, unique=True))
    terms = st.tuples(st.integers(1, 10**8), spans, spans)
    hub, *others = [chain(name, *draw(terms)) for name in ("hub", *names)]
    touched = [*others, hub] if draw(st.booleans()) else others
    margin = (draw(st.integers(10, 30)), 10)
    return touched, hub, Timing(margin=margin, outage_us=draw(spans), skew_us=draw(spans))


def padded(timing: Timing, span: int) -> Fraction:
    return Fraction(span) * Fraction(*timing.margin) + timing.outage_us


@given(deals(at_least=2))
def test_each_deadline_leaves_the_slowest_chain_its_time(deal: Any) -> None:
    touched, hub, timing = deal
    found = deal_deadlines(touched, hub=hub, timing=timing, now_us=NOW)
    out_and_back = [(hub.block_us + each.block_us + 2 * each.relay_us, each.finality_us) for each in touched]
    lock = NOW + max(padded(timing, span + final) for span, final in out_and_back)
    assert 0 <= found.lock_by_us - lock < 1
    assert found.decide_by_us == found.lock_by_us + hub.finality_us + timing.skew_us
    release = found.decide_by_us + hub.finality_us + max(padded(timing, span) for span, _ in out_and_back)
    assert 0 <= found.release_by_us - release < 1
    assert NOW < found.lock_by_us <= found.decide_by_us < found.release_by_us


@given(deals(at_least=1), st.randoms(use_true_random=False))
def test_the_order_of_chains_does_not_matter(deal: Any, random: Any) -> None:
    touched, hub, timing = deal
    first = deal_deadlines(touched, hub=hub, timing=timing, now_us=NOW)
    random.shuffle(touched)
    assert deal_deadlines(touched, hub=hub, timing=timing, now_us=NOW) == first


@given(deals(at_least=2), spans)
def test_a_slower_chain_never_brings_a_deadline_forward(deal: Any, more: int) -> None:
    touched, hub, timing = deal
    before = deal_deadlines(touched, hub=hub, timing=timing, now_us=NOW)
    slower = replace(
        touched[0], finality_us=touched[0].finality_us + more, relay_us=touched[0].relay_us + more
    )
    after = deal_deadlines([slower, *touched[1:]], hub=hub, timing=timing, now_us=NOW)
    assert after.lock_by_us >= before.lock_by_us
    assert after.decide_by_us >= before.decide_by_us
    assert after.release_by_us >= before.release_by_us


def test_a_deal_on_one_chain_needs_neither_finality_nor_the_way_back() -> None:
    one = chain("b", block_us=2_000_001, finality_us=10**9, relay_us=500_000)
    timing = Timing(margin=(3, 2), outage_us=7, skew_us=3)
    found = deal_deadlines([one], hub=chain("hub", 1, 10**9, 10**9), timing=timing, now_us=NOW)
    instant = NOW + 3_750_002 + 7 + 3
    assert found == Deadlines(lock_by_us=instant, decide_by_us=instant, release_by_us=instant)


def test_a_worked_example() -> None:
    hub = chain("hub", 1_000_000, 2_000_000, 0)
    fast = chain("fast", 500_000, 1_000_000, 250_000)
    slow = chain("slow", 2_000_000, 8_000_000, 500_000)
    timing = Timing(margin=(3, 2), outage_us=10_000_000, skew_us=500_000)
    found = deal_deadlines([fast, slow], hub=hub, timing=timing, now_us=0)
    assert found.lock_by_us == 18_000_000 + 10_000_000
    assert found.decide_by_us == 28_000_000 + 2_000_000 + 500_000
    assert found.release_by_us == 30_500_000 + 2_000_000 + 6_000_000 + 10_000_000
