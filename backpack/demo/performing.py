"""The whole demo: read the files, tell one run in full, replay and check all of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from backpack import Backpack
from backpack.demo.checking import THOROUGH, Checked, Checker
from backpack.demo.inputs import file_shown, read_packed, read_runs
from backpack.demo.packed import Packed
from backpack.demo.playing import OWN_KEYS, replay
from backpack.demo.shipped import SHIPPED_NAME, shipped_run
from backpack.demo.showcase import Showcase, showcase_of
from backpack.demo.stage import Scene, Stage
from backpack.demo.summary import Summary, summarise
from backpack.demo.telling import tell
from backpack.errors import BackpackError, InvalidArgumentError
from backpack.runs import Run, RunFileError
from backpack.terminal.words import count_of, shown

_NAMES_SHOWN: Final = 3
_KEY_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be performed: the runs, which of them is told, what is packed first."""

    source: str
    """Where the runs come from, in words."""
    runs: Sequence[Run]
    told: Run
    showcase: Showcase
    packed: Packed
    budget: int | None


@dataclass(slots=True)
class Outcome:
    """What the checks came to."""

    replayed: Checked = field(default_factory=Checked)
    """Every commit of every run, right after its replay."""
    again: Checked = field(default_factory=Checked)
    """What was compared beyond that: forks, open snapshots, what pruning left."""
    summaries: list[Summary] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Whatever was wrong anywhere."""
        return list(dict.fromkeys([*self.replayed.problems, *self.again.problems]))


def prepare(file: str | None, packed: Sequence[tuple[str, str]], run: str | None, budget: int | None) -> Program:
    """Read everything. Raises `RunFileError` for a file, `InvalidArgumentError` for a key or a run."""
    keys = [key for key, _ in packed]
    for key in keys:
        _check_key(key, keys.count(key))
    if [file, *(name for _, name in packed)].count("-") > 1:
        raise InvalidArgumentError("standard input can be read once, not twice")
    if file is None:
        shipped, showcase = shipped_run()
        runs, source = [shipped], SHIPPED_NAME
        told = _chosen(runs, run)
    else:
        runs, source = read_runs(file), file_shown(file)
        told = _chosen(runs, run)
        showcase = showcase_of(told)
    return Program(source, runs, told, showcase, read_packed(packed), budget)


def tell_run(program: Program, outcome: Outcome, width: int) -> Iterator[Scene]:
    """The scenes of the run that is told, each played when it is asked for; what they check goes to `outcome`."""
    try:
        bp = replay(program.told, program.packed)
    except BackpackError as error:
        raise RunFileError(f"run {program.told.name} can't be replayed: {error}", file=program.source) from None
    checked = Checker(bp, program.told, program.packed, THOROUGH).all_commits()
    stage = Stage(bp, program.told, program.packed, program.showcase, program.budget, width)
    yield from tell(stage)
    outcome.again.add(stage.checked)
    if len(program.runs) == 1:
        outcome.replayed.add(checked)
    else:
        outcome.again.add(checked)


def check_runs(program: Program, outcome: Outcome, progress: Callable[[int, int], None]) -> None:
    """Every run of many: replayed, checked, pruned, checked again. One run alone has been, when it was told."""
    if len(program.runs) == 1:
        return
    for run in program.runs:
        progress(run.place - 1, len(program.runs))
        try:
            summary = summarise(run, program.packed, program.budget)
        except BackpackError as error:
            raise RunFileError(f"run {run.name} can't be replayed: {error}", file=program.source) from None
        outcome.summaries.append(summary)
        outcome.replayed.add(summary.checked)
        outcome.again.add(summary.checked_left)
    progress(len(program.runs), len(program.runs))


def _check_key(key: str, count: int) -> None:
    option = f"--with {shown(key, _KEY_SHOWN)}="
    if count > 1:
        raise InvalidArgumentError(f"{option}: the key is given twice")
    if key in OWN_KEYS or key.startswith("tools."):
        raise InvalidArgumentError(f"{option}: the replay itself writes that key")
    try:
        Backpack().pack(key, None)
    except BackpackError as error:
        raise InvalidArgumentError(f"{option}: {error}") from None


def _chosen(runs: Sequence[Run], wanted: str | None) -> Run:
    if wanted is None:
        return runs[0]
    if wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= len(runs):
        return runs[int(wanted) - 1]
    for run in runs:
        if run.name == wanted:
            return run
    names = ", ".join(run.name for run in runs[:_NAMES_SHOWN]) + (", ..." if len(runs) > _NAMES_SHOWN else "")
    raise InvalidArgumentError(f"--run {shown(wanted, _KEY_SHOWN)}: no such run; {count_of(len(runs), 'run')}: {names}")
