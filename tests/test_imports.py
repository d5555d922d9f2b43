"""Which room of the package may import which, as docs/development.md says; read with `ast`."""

import ast
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Set

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "deepnet_fairseq"

ROOT_MODULES = {"errors", "io", "languages", "logging", "parallel", "checkpoints"}
# Room -> the rooms that it may import; its own modules, and packages that are not ours, always.
ALLOWED: Dict[str, Set[str]] = {
    "errors": set(),
    "logging": set(),
    "languages": {"errors"},
    "io": {"errors"},
    "parallel": {"errors", "logging", "io"},
    "checkpoints": {"errors", "io"},
    "network": {"errors"},
    "data": ROOT_MODULES - {"checkpoints"},
    "training": ROOT_MODULES | {"network"},
    "evaluation": ROOT_MODULES | {"network", "data"},
    "config": ROOT_MODULES | {"network", "data", "training", "evaluation"},
    "commands": ROOT_MODULES | {"network", "data", "training", "evaluation", "config"},
    "__init__": {"network", "training"},
}
# Inside evaluation, a stage knows those before it only.
EVALUATION = ("decode", "score", "report", "compare")


def modules(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")))


def imported(path: Path) -> List[str]:
    """The full names of all that a file imports, functions' own imports too."""
    names: List[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / PACKAGE).with_suffix("").parts[0]


def rooms_imported(path: Path) -> Set[str]:
    return {name.split(".")[1] for name in imported(path) if name.split(".")[0] == PACKAGE}


FILES = list(modules(ROOT / PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / PACKAGE)))
def test_a_room_imports_only_the_rooms_below_it(path: Path) -> None:
    room = room_of(path)
    assert rooms_imported(path) - ALLOWED[room] - {room} == set()


def test_the_rules_know_every_room_and_hold_no_circle() -> None:
    assert {room_of(path) for path in FILES} == set(ALLOWED)
    above: Dict[str, Set[str]] = {room: set(below) for room, below in ALLOWED.items()}
    while above:
        lowest = [room for room, below in above.items() if not below & set(above)]
        assert lowest, f"a circle among {sorted(above)}"
        for room in lowest:
            del above[room]


def test_stages_of_the_evaluation_know_only_earlier_ones() -> None:
    folder = ROOT / PACKAGE / "evaluation"
    assert {path.name for path in folder.iterdir() if path.name != "__pycache__"} == {
        "__init__.py",
        *EVALUATION,
    }
    for path in modules(folder):
        stage = path.relative_to(folder).parts[0]
        prefix = f"{PACKAGE}.evaluation."
        known = {
            n.removeprefix(prefix).split(".")[0] for n in imported(path) if n.startswith(prefix)
        }
        allowed = EVALUATION[: EVALUATION.index(stage) + 1] if stage in EVALUATION else ()
        assert known <= set(allowed), path


def test_only_commands_studies_and_benchmarks_read_recipes() -> None:
    recipe = (f"{PACKAGE}.config.load", f"{PACKAGE}.config.recipe")
    readers = {
        room_of(path) for path in FILES if any(name.startswith(recipe) for name in imported(path))
    }
    assert readers - {"config"} == {"commands"}


def test_the_package_knows_neither_studies_nor_benchmarks() -> None:
    outside = ("experiments", "benchmarks", "tests", "support")
    tops = [(path, name.split(".")[0]) for path in FILES for name in imported(path)]
    assert [(path, top) for path, top in tops if top in outside] == []


def test_the_papers_constants_need_the_standard_library_alone() -> None:
    names = imported(ROOT / PACKAGE / "network" / "scaling.py")
    assert names and all(name.split(".")[0] in sys.stdlib_module_names for name in names)


def test_no_folder_is_one_that_fairseq_imports_whole() -> None:
    assert [
        p for p in (ROOT / PACKAGE).rglob("*") if p.is_dir() and p.name in ("models", "tasks")
    ] == []
