"""What scripts/setup.sh asks about a virtual environment; run by the Python in it.

environment.py current PROJECT [--with-tests]   exit 0 if everything that setup.sh installs is there
environment.py has-fairseq                      exit 0 if the installed fairseq has today's patches
environment.py has-torch                        exit 0 if torch 2.6 or newer is there
environment.py record PROJECT [--with-tests]    remember that the installation is complete
environment.py repair                           remove what an interrupted pip left half installed
"""

import hashlib
import importlib.util
import shutil
import sys
import sysconfig
from importlib import metadata
from pathlib import Path
from typing import Callable, Dict, List

if __package__:
    from . import fairseq_patches
else:  # run as a script
    import fairseq_patches

OLDEST_TORCH = (2, 6)
STAMP = Path(sys.prefix) / ".deepnet-setup"


def main(arguments: List[str]) -> int:
    """Run one of the subcommands; return the exit status."""
    tests = "--with-tests" in arguments
    positional = [argument for argument in arguments if argument != "--with-tests"]
    actions: Dict[str, Callable[[], bool]] = {
        "current": lambda: is_current(Path(positional[1]), tests),
        "has-fairseq": has_fairseq,
        "has-torch": has_torch,
        "record": lambda: record(Path(positional[1]), tests),
        "repair": repair,
    }
    if (
        not positional
        or positional[0] not in actions
        or len(positional) != (2 if positional[0] in ("current", "record") else 1)
    ):
        print(__doc__, file=sys.stderr)
        return 2
    return 0 if actions[positional[0]]() else 1


def is_current(project: Path, tests: bool) -> bool:
    """Tell whether setup.sh finished here for this project, and all packages are still there."""
    if not STAMP.is_file():
        return False
    recorded = STAMP.read_text().splitlines()
    if recorded[:1] != [state(project)] or (tests and "tests" not in recorded):
        return False
    missing = unmet("fairseq", "") or unmet("deepnet_fairseq", "test" if tests else "")
    return has_fairseq() and not missing


def record(project: Path, tests: bool) -> bool:
    """Write down that setup.sh has finished."""
    beside = STAMP.with_suffix(".new")
    beside.write_text(state(project) + ("\ntests\n" if tests else "\n"))
    beside.replace(STAMP)
    return True


def state(project: Path) -> str:
    """Return a hash of all that decides what gets installed."""
    parts = [
        fairseq_patches.fingerprint(),
        str(project.resolve()),
        (project / "setup.py").read_text(),
    ]
    return hashlib.sha256("\n".join(parts).encode("utf-8")).hexdigest()


def has_fairseq() -> bool:
    """Tell whether the installed fairseq is ours, with the patches as they are today."""
    if version_of("fairseq") != fairseq_patches.VERSION:
        return False
    package = importlib.util.find_spec(
        "fairseq"
    )  # finds it without importing it, and torch with it
    if package is None or package.origin is None:
        return False
    record = Path(package.origin).with_name("patches.py")
    expected = f'"{fairseq_patches.fingerprint()}"'
    return record.is_file() and expected in record.read_text(encoding="utf-8")


def has_torch() -> bool:
    """Tell whether a torch is installed that fairseq's patches were made for."""
    numbers = version_of("torch").split(".")[:2]
    return (
        len(numbers) == 2
        and all(number.isdigit() for number in numbers)
        and tuple(map(int, numbers)) >= OLDEST_TORCH
    )


def unmet(package: str, extra: str) -> List[str]:
    """Return the requirements of a package, and of all that it needs, that are not met."""
    # setup.sh has made sure that pip is there.
    from pip._vendor.packaging.requirements import Requirement

    if not version_of(package):
        return [package]
    seen, waiting, missing = set(), [(package, extra)], []
    while waiting:
        name, requested_extra = waiting.pop()
        for text in metadata.requires(name) or []:
            requirement = Requirement(text)
            marker = requirement.marker
            if text in seen or (marker and not marker.evaluate({"extra": requested_extra})):
                continue
            seen.add(text)
            version = version_of(requirement.name)
            if version and requirement.specifier.contains(version, prereleases=True):
                waiting.append((requirement.name, ""))
            else:
                missing.append(text)
    return missing


def version_of(package: str) -> str:
    """Return the version of an installed package, or an empty string."""
    try:
        return metadata.version(package) or ""
    except metadata.PackageNotFoundError:
        return ""


def repair() -> bool:
    """Remove what pip cannot mend: records of half-installed packages, and pip's own leftovers.

    pip writes INSTALLER and then RECORD when all files of a package are there. The files stay, and
    the next installation overwrites them.
    """
    for site in {Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")}:
        for folder in site.glob("*.dist-info"):
            if not ((folder / "INSTALLER").is_file() and (folder / "RECORD").is_file()):
                remove(folder)
        for leftover in site.glob("~*"):
            remove(leftover)
    return True


def remove(path: Path) -> None:
    """Remove a file or a folder and say so."""
    print(f"setup: removing {path}, left by an interrupted installation", file=sys.stderr)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
