"""What all commands share: errors become one line and an exit status."""

import argparse
import sys
from typing import Callable

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
