"""Frames: what was packed comes out, however the bytes were cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers.frames import Frame, FrameError, FrameReader, Kind, pack

frames = st.lists(st.builds(Frame, st.sampled_from(Kind), st.binary(max_size=64)), max_size=8)


@given(frames, st.integers(min_value=1, max_value=100))
def test_frames_survive_any_cutting_of_the_stream(sent: list[Frame], size: int) -> None:
    stream = b"".join(pack(*frame) for frame in sent)
    reader = FrameReader(65)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert [frame for piece in pieces for frame in reader.feed(piece)] == sent


def test_frames_before_a_long_one_are_read_and_it_is_refused_by_its_length_alone() -> None:
    stream = pack(Kind.BID, b"good") + pack(Kind.BID, b"x" * 100)[:4]
    read = FrameReader(100).feed(stream)
    assert next(read) == Frame(Kind.BID, b"good")
    with pytest.raises(FrameError, match="101 bytes"):
        next(read)


@pytest.mark.parametrize("stream", [b"\x00\x00\x00\x01?", b"\x00\x00\x00\x00"])
def test_a_frame_of_no_known_kind_is_refused(stream: bytes) -> None:
    with pytest.raises(FrameError, match="unknown kind"):
        list(FrameReader(100).feed(stream))
