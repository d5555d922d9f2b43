"""deepnet_fairseq: very deep multilingual machine translation in fairseq. The door of ``--user-dir deepnet_fairseq``.

Importing it registers the architectures `deepnet_transformer…` and the task `translation_multi_deepnet`, and has fairseq-train stop with a
checkpoint at SIGUSR1. It needs the fairseq that scripts/setup.sh builds: stock 0.12.2 does not run on a current Python and torch. Raises
ImportError, with the command that mends it, on any other.
"""

try:
    from fairseq.version import __version__ as _fairseq_version
except (
    Exception
) as error:  # stock fairseq fails on import in several ways, none of which says what to do
    raise ImportError(
        f"fairseq cannot be imported ({error}); run scripts/setup.sh, which builds and installs it"
    ) from error

if "+deepnet." not in _fairseq_version:
    raise ImportError(
        f"fairseq {_fairseq_version} lacks the edits that current Python and torch need; run scripts/setup.sh, which builds and installs "
        "fairseq 0.12.2+deepnet.1"
    )

from deepnet_fairseq.network import model  # noqa: F401
from deepnet_fairseq.training import stop, task  # noqa: F401

stop.listen()  # in fairseq-train alone
