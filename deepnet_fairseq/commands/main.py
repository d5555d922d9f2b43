"""What all commands share: their help, and errors that become one line and an exit status."""

import argparse
import sys
from pathlib import Path
from textwrap import dedent, wrap
from typing import Callable, List, Optional, Tuple

from deepnet_fairseq.errors import UsageError, UserError
from deepnet_fairseq.logging import log_to_stderr


def run(
    parser: argparse.ArgumentParser,
    command: Callable[[], None],
    resume: str = "run it again",
) -> int:
    """Run a command whose arguments are parsed, and return its exit status.

    Args:
        parser: The command's parser, which knows its name and usage.
        command: The work. Prints its result.
        resume: What the user can do after Ctrl-C.

    Returns:
        0 after success, 1 (or the error's own status) after an error that the user can mend, which
        is one line on stderr, and 130 after Ctrl-C.

    Raises:
        SystemExit: With status 2, after the usage and one line on stderr, for a wrong call.
    """
    log_to_stderr()
    try:
        command()
    except UsageError as error:
        parser.error(str(error))
    except UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return error.status
    except OSError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted; {resume}", file=sys.stderr)
        return 130
    return 0


def new_parser(
    prog: str, usage: str, description: str, example: str, epilog: str = ""
) -> argparse.ArgumentParser:
    """Return a command's parser, which has no arguments yet.

    Args:
        prog: Name of the command in its messages.
        usage: Its arguments in one line.
        description: What it does: paragraphs, indented as in the code.
        example: Arguments of a call.
        epilog: More lines after the example; {prog} stands for the command.
    """
    shown = prog if prog.startswith("deepnet-") else f"scripts/{prog}"
    return argparse.ArgumentParser(
        prog=prog,
        usage=f"{shown} {usage}",
        description=dedent(description).strip(),
        epilog=f"example: {shown} {example}\n" + dedent(epilog).strip().format(prog=shown),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def parse_with_flags(
    parser: argparse.ArgumentParser, arguments: Optional[List[str]]
) -> Tuple[argparse.Namespace, List[str]]:
    """Return a command's own options, and the flags that are not its own.

    CONFIG comes first, since the value of a flag that is not the command's could be taken for it.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0].startswith("-") and words[0] not in ("-h", "--help"):
        parser.error("CONFIG must be the first argument")
    return parser.parse_known_args(words)


def fill(text: str) -> str:
    """Return a paragraph of a parser's help in lines; flags stay whole."""
    return "\n".join(wrap(text, width=86, break_on_hyphens=False))


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the argument CONFIG."""
    parser.add_argument(
        "config",
        type=Path,
        metavar="CONFIG",
        help="a YAML file, such as configs/cldr/cldr_quickstart.yaml",
    )
