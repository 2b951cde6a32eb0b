"""The scenes in the order in which they are played: a later one may prune what an earlier one shows."""

from collections.abc import Callable, Iterator
from typing import Final

from backpack.demo.before import before
from backpack.demo.difference import difference
from backpack.demo.large import large
from backpack.demo.memory import memory
from backpack.demo.pruning import pruning
from backpack.demo.stage import Scene, Stage
from backpack.demo.timeline import timeline
from backpack.demo.whatif import fork
from backpack.errors import BackpackError

SCENES: Final[tuple[Callable[[Stage], Scene], ...]] = (timeline, before, difference, large, fork, pruning, memory)


def tell(stage: Stage) -> Iterator[Scene]:
    """Scene after scene, each played when it is asked for."""
    for scene in SCENES:
        try:
            yield scene(stage)
        except BackpackError as error:
            name = scene.__name__
            stage.checked.expect(False, f"run {stage.run.name}, scene {name}: {type(error).__name__}: {error}")
            yield Scene(name, f"The scene {name} failed", str(error), (), (), {"error": str(error)})
