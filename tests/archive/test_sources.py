"""Sources of a log: pieces that frames make and make longer, some of them lost."""

from backpack.archive.sources import Sources


def grown() -> Sources:
    sources = Sources()
    sources.extend([(0, 0, 5, 10), (1, 0, 15, 2)], 100)
    sources.extend([(0, 10, 7, 3)], 200)
    return sources


def test_a_source_is_the_pieces_that_frames_added_to_it() -> None:
    sources = grown()
    assert [sources.size_of(number) for number in (0, 1)] == [13, 2]
    assert sources.pieces_of(0) == [(0, 100, 5, 10), (10, 200, 7, 3)]
    bodies = {100: bytes(range(20)), 200: bytes(range(50, 60))}
    assert b"".join(sources.chunks_of(0, bodies, {})) == bytes(range(5, 15)) + bytes(range(57, 60))
    assert [bytes(one) for one in sources.chunks_of(1, bodies, {})] == [bytes((15, 16))]
    assert sources.sizes() == [13, 2] and 0 in sources.grown and 1 not in sources.grown


def test_a_source_that_was_one_payload_needs_no_frame_but_those_that_made_it_longer() -> None:
    sources = grown()
    wholes = {0: bytes(range(5, 15)), 1: bytes((15, 16))}
    assert b"".join(sources.chunks_of(0, {200: bytes(range(50, 60))}, wholes)) == bytes(range(5, 15)) + bytes(
        (57, 58, 59)
    )
    assert sources.chunks_of(1, {}, wholes) == [bytes((15, 16))]


def test_what_a_frame_adds_fits_where_sources_end() -> None:
    sources = grown()
    assert sources.fit([(0, 13, 0, 4), (0, 17, 4, 4), (2, 0, 8, 1), (2, 1, 9, 1)], 2)
    assert not sources.fit([(0, 12, 0, 4)], 2)
    assert not sources.fit([(0, 13, 0, 4), (0, 13, 4, 4)], 2)


def test_of_a_source_whose_beginning_is_lost_the_rest_is_there() -> None:
    sources = Sources()
    sources.lose()
    sources.extend([(0, 6, 3, 4)], 300)
    assert sources.pieces_of(0) == [(6, 300, 3, 4)]
    assert sources.size_of(0) == 10


def test_a_copy_goes_on_by_itself() -> None:
    sources = grown()
    copy = sources.copied()
    copy.extend([(0, 13, 0, 4), (2, 0, 4, 1)], 400)
    assert sources.size_of(0) == 13 and copy.size_of(0) == 17
    assert copy.size_of(2) == 1
