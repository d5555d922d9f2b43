"""One family of errors: what a user can mend. The commands turn each into one line and a status."""


class UserError(ValueError):
    """An input, config or option that has to change. The message is one line and names it."""

    status = 1  # the command's exit status


class UsageError(UserError):
    """A wrong call of a command: options that contradict one another. Shown after the usage."""

    status = 2


class FlagError(UserError):
    """Flags that fairseq's parser rejects; the message is its complaint."""

    status = 2


class LaunchError(UserError):
    """Processes that cannot train together. The message names the option."""

    status = 2


class RecipeError(UserError):
    """A config that cannot be used. The message names the file and the key."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))  # OmegaConf and YAML explain over several lines


class DataError(UserError):
    """A corpus, vocabulary or data config that cannot be used. The message says what to change."""


class DownloadError(DataError):
    """An address that did not give the file; another one may."""


class GrowthError(UserError):
    """A checkpoint that cannot grow into the model of the flags. The message says why."""


class EvaluationError(UserError):
    """A checkpoint, hypothesis or reference that cannot be used. The message says what to do."""
