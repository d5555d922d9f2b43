"""One family of errors: what a user can mend, each told in one line that names the file or option.

The commands turn any of them into that line and a status; see `commands`.
"""


class UserError(ValueError):
    """What the user has to change: an input, a config, an option. The message is one line and names it."""


class UsageError(UserError):
    """A wrong call: options or flags that do not exist or contradict one another."""


class RecipeError(UserError):
    """A config that cannot be used. The message names the file and the key."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))  # OmegaConf and YAML explain over several lines


class FlagError(UsageError):
    """Flags that fairseq's parser rejects; the message is its complaint."""


class LaunchError(UsageError):
    """Processes that cannot train together. The message names the option."""


class DataError(UserError):
    """A corpus, vocabulary or config of data that cannot be used. The message says what to change."""


class DownloadError(DataError):
    """An address that did not give the file; another one may."""


class GrowthError(UserError):
    """A checkpoint that cannot grow into the model of the flags. The message names it and says why."""


class EvaluationError(UserError):
    """A checkpoint, hypothesis or reference that cannot be used. The message says what to do."""
