"""Build the wheel of fairseq 0.12.2+deepnet.2 for the Python that runs this script.

The script fetches PyPI's source distribution of fairseq 0.12.2 with pip (so that pip's own index
settings hold), checks it, applies the series of `patches/` and compiles it with tools that exist in
a temporary folder only. A wheel that was built before is used again. Needs the standard library,
pip, a C++ compiler, and git or patch. Prints the wheel's path.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Dict, List, Optional, Sequence

if __package__:
    from . import fairseq_patches
else:  # run as a script
    import fairseq_patches

SDIST = "fairseq-0.12.2.tar.gz"
SDIST_SHA256 = "34f1b18426bf3844714534162f065ab733e049597476daa35fffb4d06a92b524"
# What compiles the wheel. numpy 2's headers make modules that also load under numpy 1.
BUILD_TOOLS = ("cython>=3.0,<4", "numpy>=2.0,<3", "setuptools>=68", "wheel>=0.40")
PIP = (sys.executable, "-m", "pip")
QUIET = ("--quiet", "--disable-pip-version-check")
# Run inside the unpacked source, by the Python of the temporary folder: torch is not visible there,
# so fairseq leaves out the extensions that only its non-autoregressive and speech models use, and
# the wheel does not depend on one version of torch.
BUILD_WHEEL = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


class BuildError(RuntimeError):
    """The wheel cannot be built; the message says what to do."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command line; return the exit status."""
    options = parse_arguments(arguments)
    try:
        wheel = find_wheel(options.output)
        if wheel is None:
            check_compiler()
            fairseq_patches.find_tool()
            if options.check:
                return 0
            wheel = build(options.output, options.sdist)
        if not options.check:
            print(wheel)
    except (BuildError, fairseq_patches.PatchError, OSError) as error:
        print(f"build_fairseq.py: {error}", file=sys.stderr)
        return 1
    return 0


def parse_arguments(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help="folder that keeps the source distribution and the wheels",
    )
    parser.add_argument(
        "--sdist",
        type=Path,
        help=f"a {SDIST} that was fetched before, instead of asking pip for it",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="build nothing; fail if the wheel is missing and could not be compiled",
    )
    return parser.parse_args(arguments)


def find_wheel(output: Path) -> Optional[Path]:
    """Return the wheel that was built for this Python with these very patches, or None."""
    return next(iter(sorted(wheel_folder(output).glob("*.whl"))), None)


def wheel_folder(output: Path) -> Path:
    """Return the folder below `output` for this Python, this platform and these patches."""
    platform = sysconfig.get_platform().replace(" ", "_")
    return output / f"{sys.implementation.cache_tag}-{platform}-{fairseq_patches.fingerprint()}"


def check_compiler() -> None:
    """Compile a line of C++ against Python's headers.

    Raises:
        BuildError: There is no C++ compiler, or no header files of this Python.
    """
    command = (os.environ.get("CXX") or sysconfig.get_config_var("CXX") or "c++").split()
    if shutil.which(command[0]) is None:
        raise BuildError(
            f"no C++ compiler: {command[0]!r} is not on the PATH; "
            "install one (Debian: apt install g++) or set CXX"
        )
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "check.cpp"
        source.write_text("#include <Python.h>\n#include <map>\n")
        include = sysconfig.get_path("include")
        done = subprocess.run(
            [*command, f"-I{include}", "-fsyntax-only", str(source)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise BuildError(
            f"{command[0]} cannot compile against Python's headers in {include} "
            f"(Debian: apt install g++ python{version}-dev): {done.stderr.strip()[-500:]}"
        )


def build(output: Path, sdist: Optional[Path]) -> Path:
    """Build the wheel and return its path below `output`.

    Raises:
        BuildError: pip or the compiler failed, or the source distribution is not the expected one.
        PatchError: A patch does not fit.
    """
    started = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="build-fairseq-") as folder:
        tools = Path(folder) / "tools"
        log("getting the tools that compile fairseq")
        modules = install_tools(tools)
        archive = fetch_sdist(output, sdist, modules)
        log(f"patching fairseq 0.12.2 ({len(fairseq_patches.read_series())} patches)")
        source = unpack(archive, Path(folder))
        fairseq_patches.apply_series(source)
        log("compiling fairseq")
        built = Path(folder) / "wheel"
        built.mkdir()
        run([str(tools / "bin" / "python"), "-I", "-c", BUILD_WHEEL, str(built)], cwd=source)
        wheel = move_into(next(built.glob("*.whl")), wheel_folder(output))
    log(f"built {wheel.name} in {time.monotonic() - started:.0f} s")
    return wheel


def install_tools(tools: Path) -> Path:
    """Make an environment with nothing but `BUILD_TOOLS`; return the folder of its modules."""
    run([sys.executable, "-m", "venv", "--without-pip", str(tools)])
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    modules = run([str(tools / "bin" / "python"), "-I", "-c", code]).strip()
    run([*PIP, "install", *QUIET, "--target", modules, *BUILD_TOOLS])
    return Path(modules)


def fetch_sdist(output: Path, sdist: Optional[Path], modules: Path) -> Path:
    """Return the checked source distribution, kept below `output` for the next time.

    Args:
        output: The folder that keeps it.
        sdist: A file to use in place of a download.
        modules: The folder in which pip finds setuptools.

    Raises:
        BuildError: pip failed, or the file is not the expected one.
    """
    kept = output / SDIST
    if sdist is None and kept.is_file() and sha256(kept) == SDIST_SHA256:
        return kept
    with tempfile.TemporaryDirectory(prefix="build-fairseq-") as folder:
        if sdist is None:
            log("downloading fairseq 0.12.2's source")
            # pip reads the metadata of what it downloads with setuptools, which the user's
            # environment may lack.
            paths = [str(modules), *filter(None, [os.environ.get("PYTHONPATH")])]
            source = ["--no-deps", "--no-binary", "fairseq", "--no-build-isolation"]
            run(
                [*PIP, "download", *QUIET, *source, "--dest", folder, "fairseq==0.12.2"],
                environment={"PYTHONPATH": os.pathsep.join(paths)},
            )
        else:
            shutil.copyfile(sdist, Path(folder) / SDIST)
        digest = sha256(Path(folder) / SDIST)
        if digest != SDIST_SHA256:
            raise BuildError(
                f"{sdist or SDIST} is not fairseq 0.12.2 as PyPI has it: "
                f"sha256 {digest}, expected {SDIST_SHA256}"
            )
        return move_into(Path(folder) / SDIST, output)


def sha256(path: Path) -> str:
    """Return the file's SHA-256, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the source distribution into `folder` and return its root."""
    with tarfile.open(archive) as tar:
        # The archive's hash was checked; Python 3.12 warns if no filter is named, and older ones
        # may not know it.
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)
    return folder / SDIST.removesuffix(".tar.gz")


def move_into(path: Path, folder: Path) -> Path:
    """Copy the file into `folder`, under another name first: a kill leaves no partial file."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{path.name}.{os.getpid()}"
    shutil.copyfile(path, beside)
    os.replace(beside, folder / path.name)
    return folder / path.name


def run(
    command: List[str], cwd: Optional[Path] = None, environment: Optional[Dict[str, str]] = None
) -> str:
    """Run a command and return its output.

    Raises:
        BuildError: It failed; holds the end of its output.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        raise BuildError(
            f"`{' '.join(command)}` failed with status {done.returncode}:\n"
            f"{done.stdout[-3000:].strip()}"
        )
    return done.stdout


def log(message: str) -> None:
    """Print a message to stderr."""
    print(f"setup: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
