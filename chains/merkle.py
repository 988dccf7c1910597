"""Merkle roots and proofs over byte strings, checkable by the usual on-chain library.

The convention is OpenZeppelin's: a leaf is hashed twice, so that no inner node can be passed off as
a leaf; the two children of a node are hashed in sorted order, so that a proof needs no directions;
the leaves are sorted by their hashes, so that the root does not depend on their order.

Source: OpenZeppelin `merkle-tree` (StandardMerkleTree) and `MerkleProof.sol`.
"""

from collections.abc import Iterable, Sequence

from sha3 import keccak_256

from chains.errors import CommitError


def keccak(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it (32 bytes)."""
    digest: bytes = keccak_256(data).digest()
    return digest


def leaf_hash(content: bytes) -> bytes:
    """The hash under which some content stands in a tree."""
    return keccak(keccak(content))


def merkle_root(contents: Iterable[bytes]) -> bytes:
    """The root over at least one content.

    Raises
    ------
    CommitError
        If there is none.
    """
    return _tree(contents)[0]


def merkle_proof(contents: Iterable[bytes], content: bytes) -> tuple[bytes, ...]:
    """The sibling hashes from a content up to the root.

    Raises
    ------
    CommitError
        If the content is not among the contents.
    """
    tree = _tree(contents)
    leaf = leaf_hash(content)
    first_leaf = len(tree) // 2
    if leaf not in tree[first_leaf:]:
        raise CommitError("the content is not in the tree")
    index = tree.index(leaf, first_leaf)
    proof = []
    while index > 0:
        proof.append(tree[index + 1] if index % 2 else tree[index - 1])
        index = (index - 1) // 2
    return tuple(proof)


def is_proved(root: bytes, content: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the content is in the tree with that root."""
    node = leaf_hash(content)
    for sibling in proof:
        node = _node_hash(node, sibling)
    return node == root


def _node_hash(one: bytes, other: bytes) -> bytes:
    return keccak(min(one, other) + max(one, other))


def _tree(contents: Iterable[bytes]) -> list[bytes]:
    """All hashes: the root first, the children of node i at 2i+1 and 2i+2, the leaves last."""
    leaves = sorted(leaf_hash(content) for content in contents)
    if not leaves:
        raise CommitError("a tree needs at least one leaf")
    tree = [b""] * (len(leaves) - 1) + leaves[::-1]
    for index in range(len(leaves) - 2, -1, -1):
        tree[index] = _node_hash(tree[2 * index + 1], tree[2 * index + 2])
    return tree
