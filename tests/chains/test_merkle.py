import pytest
from eth_utils import keccak as eth_keccak
from hypothesis import given
from hypothesis import strategies as st

from chains.errors import CommitError
from chains.merkle import is_proved, keccak, merkle_proof, merkle_root

contents = st.lists(st.binary(max_size=40), min_size=1, max_size=20, unique=True)


def encode(address: str, amount: int) -> bytes:
    return bytes(12) + bytes.fromhex(address) + amount.to_bytes(32, "big")


def test_the_root_is_openzeppelins() -> None:
    # The published example of its merkle-tree package: (address, uint256) leaves.
    leaves = [encode("11" * 20, 5 * 10**18), encode("22" * 20, 25 * 10**17)]
    expected = "d4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77"
    assert merkle_root(leaves).hex() == expected
    (sibling,) = merkle_proof(leaves, leaves[0])
    assert sibling.hex() == "b92c48e9d7abe27fd8dfd6b5dfdbfb1c9a463f80c712b66f3a5180a090cccafc"


@given(st.binary(max_size=300))
def test_keccak_is_ethereums(data: bytes) -> None:
    assert keccak(data) == eth_keccak(data)


@given(contents, st.randoms(use_true_random=False))
def test_every_content_is_proved_and_the_order_does_not_matter(items: list[bytes], random: object) -> None:
    root = merkle_root(items)
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merkle_root(shuffled) == root
    assert all(is_proved(root, item, merkle_proof(shuffled, item)) for item in items)


@given(contents, st.binary(max_size=40))
def test_nothing_else_is_proved(items: list[bytes], other: bytes) -> None:
    root = merkle_root(items)
    if other in items:
        return
    assert not any(is_proved(root, other, merkle_proof(items, item)) for item in items)
    with pytest.raises(CommitError):
        merkle_proof(items, other)


def test_no_inner_node_passes_for_a_leaf() -> None:
    items = [b"a", b"b", b"c", b"d"]
    proof = merkle_proof(items, b"a")
    hashes = sorted((keccak(keccak(b"a")), proof[0]))
    assert not is_proved(merkle_root(items), b"".join(hashes), proof[1:])


def test_an_empty_tree_has_no_root() -> None:
    with pytest.raises(CommitError):
        merkle_root([])
