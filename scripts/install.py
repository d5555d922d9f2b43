"""Build fairseq and install it, with what it needs, into the environment of the Python that runs.

This is the command deepnet-setup. scripts/setup.sh uses it, too, to install the whole project.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import List, Optional, Sequence

if __package__:
    from . import build_fairseq, environment, fairseq_patches
else:  # run as a script
    import build_fairseq
    import environment
    import fairseq_patches

TORCH = "torch==2.13.0"
PIP_INSTALL = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")


class InstallError(RuntimeError):
    """pip could not install a package; the reason is above the message."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Install fairseq, and the project that is named; return the exit status."""
    options = make_parser().parse_args(arguments)
    try:
        install(options.build_dir, options.sdist, options.editable)
    except (InstallError, OSError) as error:
        print(f"deepnet-setup: {error}", file=sys.stderr)
        return 1
    except (build_fairseq.BuildError, fairseq_patches.PatchError) as error:
        print(f"deepnet-setup: fairseq cannot be built: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("deepnet-setup: interrupted; run it again", file=sys.stderr)
        return 130
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="deepnet-setup",
        description=f"Build fairseq {fairseq_patches.VERSION}; install it into this environment.",
        epilog="The wheel is built from PyPI's source distribution of fairseq 0.12.2, which takes "
        "a C++ compiler, and git or patch. A torch of 2.6 or newer stays; else "
        f"{TORCH.replace('==', ' ')} is installed, from wherever pip is configured to get it. "
        "fairseq is built once: run again, the command takes seconds.",
    )
    parser.add_argument(
        "--build-dir",
        type=Path,
        default=default_build_dir(),
        metavar="DIR",
        help="folder that keeps the source distribution and the wheel (default: %(default)s)",
    )
    parser.add_argument(
        "--sdist",
        type=Path,
        metavar="FILE",
        help=f"a {build_fairseq.SDIST} that was fetched before, instead of asking pip for it",
    )
    parser.add_argument(
        "--editable",
        metavar="PROJECT",
        help="also install this project in place, such as . or .[test]",
    )
    return parser


def default_build_dir() -> Path:
    """Return a folder in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "deepnet_fairseq"


def install(build_dir: Path, sdist: Optional[Path] = None, editable: Optional[str] = None) -> None:
    """Install fairseq, its requirements, torch if there is none, and the project if it is named.

    Raises:
        BuildError: fairseq cannot be compiled.
        PatchError: fairseq cannot be patched.
        InstallError: pip failed.
    """
    has_fairseq, has_torch = environment.has_fairseq(), environment.has_torch()
    if has_fairseq and has_torch and not editable and not environment.unmet("fairseq", ""):
        log(f"fairseq {fairseq_patches.VERSION} is installed, and all that it needs")
        return
    wheel = build_fairseq.find_wheel(build_dir)
    if wheel is None:
        build_fairseq.check_compiler()
        fairseq_patches.find_tool()
        wheel = build_fairseq.build(build_dir, sdist)
    if not has_fairseq:
        log(f"installing {wheel.name}")
        # A fairseq of the same version, but with other patches, is replaced only by force.
        pip_install("--no-deps", "--force-reinstall", str(wheel))
    packages = [str(wheel), *(["--editable", editable] if editable else [])]
    if not has_torch:
        packages.append(TORCH)
    log("installing what is missing of " + ", ".join(p for p in packages if p != "--editable"))
    pip_install(*packages)


def pip_install(*arguments: str) -> None:
    """Run `pip install` in this environment.

    Raises:
        InstallError: pip failed.
    """
    command: List[str] = [sys.executable, *PIP_INSTALL, *arguments]
    if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode:
        raise InstallError(f"pip could not install {arguments[-1]}, see above")


def log(message: str) -> None:
    """Print progress on stderr."""
    print(f"setup: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
