"""deepnet_fairseq: very deep multilingual machine translation in fairseq.

This module is what ``--user-dir deepnet_fairseq`` imports. It registers the architectures
`deepnet_transformer…`, the task `translation_multi_deepnet`, and a training hook that stops
fairseq-train with a checkpoint at SIGUSR1; it changes nothing else.

It needs the fairseq that `deepnet-setup` builds, since stock 0.12.2 does not run on current Python
and torch. With any other fairseq the import raises an ImportError that names this command.
"""

try:
    from fairseq.version import __version__ as _fairseq_version
except Exception as error:
    # Stock fairseq fails on import in several ways, none of which says what to do.
    raise ImportError(
        f"fairseq cannot be imported ({error}); run deepnet-setup (or scripts/setup.sh from a "
        "clone), which builds and installs it"
    ) from error

_FAIRSEQ = "0.12.2+deepnet.2"
if _fairseq_version != _FAIRSEQ:
    raise ImportError(
        f"fairseq {_fairseq_version} lacks the patches that current Python and torch need; "
        "run deepnet-setup (or scripts/setup.sh from a clone), which builds and installs "
        f"fairseq {_FAIRSEQ}"
    )

from deepnet_fairseq.network import model  # noqa: E402, F401
from deepnet_fairseq.training import stop, task  # noqa: E402, F401
