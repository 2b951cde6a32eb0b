"""A crash at every operation of a store's life: whatever survives of what was not synced, the store opens, shows a
state that was, keeps every promise, and can be written to.

Some 15,700 states are tried every day, in a minute; `HYPOTHESIS_PROFILE=long` tries some ten times as many.
"""

import os
from typing import Final

import pytest

from backpack.archive.keeping import Keeper
from tests.archive.crashes import (
    InlineKeeper,
    Judge,
    LazyKeeper,
    judge_kills,
    judge_power_losses,
    judge_second_crashes,
    small_files,
    story,
)

IS_LONG: Final = os.environ.get("HYPOTHESIS_PROFILE") == "long"
SEEDS: Final[dict[type[Keeper], int]] = {InlineKeeper: 12 if IS_LONG else 1, LazyKeeper: 12 if IS_LONG else 2}
STRIDE: Final = 20 if IS_LONG else 2_400
"""Of the images one in so many is opened on a disk that crashes again."""

TRIED_MIN: Final = 7_000
DISTINCT_MIN: Final = 3_500


@pytest.mark.parametrize("keeper", [InlineKeeper, LazyKeeper], ids=["sealed at once", "sealed late"])
def test_no_crash_loses_what_was_promised_or_shows_what_never_was(
    keeper: type[Keeper], capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = SEEDS[keeper]
    with small_files(keeper):
        model = story()
        judge, moments = Judge(model), model.machine.moments()
        judge_kills(judge, moments)
        judge_power_losses(judge, moments, seeds=seeds)
        once = judge.tried
        judge_second_crashes(judge, moments, stride=STRIDE, seeds=max(seeds // 2, 1))
    with capsys.disabled():
        twice = judge.tried - once
        print(
            f"\n{len(moments)} crash points: {judge.tried} states tried, {twice} of them after a second crash in the "
            f"recovery; {len(judge.verdicts)} distinct, {len(judge.problems)} wrong"
        )
    assert not judge.problems, judge.problems[:5]
    assert judge.tried >= TRIED_MIN
    assert len(judge.verdicts) >= DISTINCT_MIN
