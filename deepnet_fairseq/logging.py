"""Log set-up of the commands and their worker processes."""

import logging
import sys


def log_to_stderr() -> None:
    """Log to stderr: our messages as they are, of all other packages only warnings."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr, level=logging.WARNING, force=True)
    logging.getLogger("deepnet_fairseq").setLevel(logging.INFO)
