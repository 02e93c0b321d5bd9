from __future__ import annotations

import pytest

from facefleet.engine.steps.views import FINE_TILE_SIDE, fine_tiles, smallest_sought

SIZES = [(4000, 3000), (8000, 6000), (12000, 2400), (2400, 12000), (16000, 3125), (500, 400)]
SMALL_FACE = 1.3 * 60  # px: a face that only the smallest tiles show large enough, and what is around it


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_small_face_lies_whole_in_some_tile_wherever_it_is(width: int, height: int) -> None:
    smallest = [view for view in fine_tiles(width, height) if view.side == FINE_TILE_SIDE]
    for x in range(0, width - int(SMALL_FACE), 37):
        assert any(view.x <= x and x + SMALL_FACE <= view.x + view.side for view in smallest)
    for y in range(0, height - int(SMALL_FACE), 37):
        assert any(view.y <= y and y + SMALL_FACE <= view.y + view.side for view in smallest)


def test_the_largest_photo_has_a_bounded_number_of_tiles() -> None:
    assert len(fine_tiles(8165, 6123)) <= 600
    assert len(fine_tiles(16000, 3125)) <= 650


def test_tiles_look_for_every_face_that_a_fusion_can_use() -> None:
    assert smallest_sought(16000, 3125, tiles=True, found=True) == pytest.approx(34)
    assert smallest_sought(300, 300, tiles=True, found=False) < 34


def test_without_tiles_small_faces_are_looked_for_where_none_is_seen() -> None:
    assert smallest_sought(1600, 1200, tiles=False, found=False) < 34
    assert smallest_sought(1600, 1200, tiles=False, found=True) == pytest.approx(34 * 1600 / 448)
    assert smallest_sought(12000, 3000, tiles=False, found=False) == pytest.approx(34 * 3000 / 448)
