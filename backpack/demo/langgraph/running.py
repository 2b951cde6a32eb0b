"""The process that the demo kills: `python -m backpack.demo.langgraph.running STORE THREAD`.

It begins the trip and says each day before it plans it. With durability="sync" the checkpoint of a step is in the store
before the next step begins, so whoever reads "day 37" knows that day 36 is there.
"""

import sys
from typing import Final

from backpack.demo.langgraph.trip import config_of, first_state, trip_graph
from backpack.integrations.langgraph import BackpackSaver

DAY: Final = "day "


def main() -> None:
    """Run until somebody stops it."""
    path, thread = sys.argv[1:]

    def say(day: int) -> None:
        print(f"{DAY}{day}", flush=True)

    with BackpackSaver(path) as saver:
        trip_graph(saver, say).invoke(first_state(), config_of(thread), durability="sync")


if __name__ == "__main__":
    main()
