from msgspec.structs import replace

from chains.units import USDC
from solvers.bid import Bid, Pool
from solvers.codec import decode, encode
from tests.builders import CALL, make_bid

BID = make_bid({"a": 1}, {"offer": 2}, {("hub-east", USDC): 3, ("east-hub", CALL): 4}, fee={"hub": 5})


def test_bid_survives_reading_and_writing_byte_for_byte() -> None:
    pool = Pool(chain="hub", underlying="BTC", expiry=1, assets=(("USDC", 5),))
    bid = replace(BID, pools=(pool,), fills=(replace(BID.fills[0], delivery=((CALL, 1),)),))
    assert decode(encode(bid), Bid) == bid
    assert encode(decode(encode(bid), Bid)) == encode(bid)


def test_lists_but_fills_may_be_left_out() -> None:
    bid = decode('{"auction":"auction-1","solver":"alice","bid":"bid-1","fills":[]}', Bid)
    assert bid == make_bid({})


def test_digest_covers_every_field() -> None:
    changed = [
        replace(BID, auction="other"),
        replace(BID, solver="other"),
        replace(BID, bid="other"),
        replace(BID, fills=()),
        replace(BID, trades=()),
        replace(BID, transfers=()),
        replace(BID, fee=()),
    ]
    assert len({bid.digest for bid in (BID, *changed)}) == len(changed) + 1
