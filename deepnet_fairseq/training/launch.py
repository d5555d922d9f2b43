"""Who trains together, and what each gets of an update: the launcher and the flags that fairseq-train needs for one process or many.

A recipe that says tokens_per_update takes the same steps on one GPU and on 64: --update-freq makes up for the GPUs that are missing.
"""

import math
import os
import resource
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import List, NoReturn, Optional, Sequence, Tuple

from deepnet_fairseq.errors import LaunchError

GPUS_PER_NODE = 8
PORT = 29500  # torchrun's own default
# fairseq leaves a sentence longer than --max-tokens out of training; below this, those would be more than a few.
FEWEST_TOKENS = 256

Address = Tuple[str, int]


@dataclass(frozen=True)
class Processes:
    """The processes of a training: as many on every machine, each with a GPU of its own or on the CPU."""

    per_node: int = 1
    nodes: int = 1
    cpu: bool = False

    @property
    def total(self) -> int:
        return self.per_node * self.nodes

    def __str__(self) -> str:
        if self.cpu:
            return f"{self.total} CPU process{'es' * (self.total > 1)}"
        return f"{self.total} GPU{'s' * (self.total > 1)}"


@dataclass(frozen=True)
class Batch:
    """What one process takes: at most max_tokens at a time, update_freq times per update."""

    max_tokens: int
    update_freq: int

    def total(self, processes: int) -> int:
        """Tokens per update, all processes together."""
        return processes * self.update_freq * self.max_tokens


def choose_processes(
    visible_gpus: int,
    gpus: Optional[int] = None,
    gpus_per_node: Optional[int] = None,
    nodes: Optional[int] = None,
    processes: Optional[int] = None,
) -> Processes:
    """Return the processes that train.sh's options ask for; without any, one on each visible GPU, or one on the CPU if there is none.

    Raises LaunchError for numbers that do not go together.
    """
    for name, value in (
        ("gpus", gpus),
        ("gpus-per-node", gpus_per_node),
        ("nodes", nodes),
        ("processes", processes),
    ):
        if value is not None and value < 1:
            raise LaunchError(f"--{name} is {value}; it must be at least 1")
    if processes is not None:
        if gpus is not None or gpus_per_node is not None:
            raise LaunchError(
                "--processes is for training on the CPU; give GPUs or processes, not both"
            )
        return Processes(_share("processes", processes, nodes or 1), nodes or 1, cpu=True)
    if gpus is None:
        per_node = gpus_per_node or visible_gpus
        if not per_node and nodes is not None:
            raise LaunchError(
                f"--nodes is {nodes}, but this machine has no GPU; give --gpus, or --processes for the CPU"
            )
        return Processes(per_node, nodes or 1) if per_node else Processes(cpu=True)
    nodes = nodes or math.ceil(gpus / (gpus_per_node or GPUS_PER_NODE))
    per_node = _share("gpus", gpus, nodes)
    if gpus_per_node is not None and nodes > 1 and per_node != gpus_per_node:
        raise LaunchError(
            f"--gpus is {gpus}, but {nodes} machines with {gpus_per_node} each have {nodes * gpus_per_node}"
        )
    return Processes(per_node, nodes)


def _share(name: str, count: int, nodes: int) -> int:
    if count % nodes:
        raise LaunchError(
            f"--{name} is {count}, which cannot be shared out evenly over {nodes} machines"
        )
    return count // nodes


def check_start(processes: Processes, visible_gpus: int, master: Optional[str]) -> None:
    """Raise LaunchError if the processes cannot be started from this machine."""
    if not processes.cpu and processes.per_node > visible_gpus:
        raise LaunchError(
            f"{processes.per_node} GPUs are asked for on this machine, which has {visible_gpus}; --dry-run prints the command for another"
        )
    if processes.nodes > 1 and master is None:
        raise LaunchError(
            f"{processes.nodes} machines need --master HOST:PORT, the same on each, to find one another"
        )


def split_update(tokens: int, processes: int, max_tokens: int, lower: bool = True) -> Batch:
    """Return the batch that gives an update its tokens, as exactly as whole numbers allow, in as few parts as possible.

    Args: max_tokens: what fits on a GPU; lower: whether fewer may be taken, which is what makes the product exact.

    Raises LaunchError if there are more processes than tokens.
    """
    if processes > tokens:
        raise LaunchError(f"{processes} processes cannot share {tokens:,} tokens per update")
    if not lower:
        return Batch(max_tokens, max(1, round(tokens / (processes * max_tokens))))
    update_freq = math.ceil(tokens / (processes * max_tokens))
    return Batch(max(1, round(tokens / (processes * update_freq))), update_freq)


def find_shortage(tokens: int, processes: Processes, max_tokens: int) -> Optional[str]:
    """Say what is wrong if so many processes get too few tokens each, None if they get enough: as many as one process alone would take at
    a time, or FEWEST_TOKENS.
    """
    share = split_update(tokens, processes.total, max_tokens).max_tokens
    if share >= min(FEWEST_TOKENS, split_update(tokens, 1, max_tokens).max_tokens):
        return None
    return (
        f"{tokens:,} tokens per update are {share} for each of {processes}, and longer sentences would be left out of training; use "
        f"{max(1, tokens // FEWEST_TOKENS)} or fewer, or say --max-tokens {share} if all are shorter"
    )


def describe(processes: Processes, batch: Batch, tokens: int) -> str:
    """The arithmetic of an update in one line; tokens: how many the config wants."""
    total = batch.total(processes.total)
    product = f"{processes} × {batch.max_tokens:,} tokens × update-freq {batch.update_freq} = {total:,} tokens per update"
    return (
        product
        if total == tokens
        else f"{product} ({abs(total - tokens):,} {'more' if total > tokens else 'fewer'} than the config's)"
    )


def process_flags(processes: Processes) -> List[str]:
    """What fairseq-train must be told of the processes; the rest it learns from torchrun's environment."""
    flags = ["--cpu"] * processes.cpu
    if processes.total == 1:
        return flags + [
            "--distributed-world-size",
            "1",
        ]  # fairseq takes every GPU in sight otherwise
    if processes.cpu:
        # NCCL is for GPUs only, and fairseq gives torch's own DistributedDataParallel a device number, which it refuses on the CPU.
        flags += ["--distributed-backend", "gloo", "--ddp-backend", "legacy_ddp"]
    return flags


def launcher(
    processes: Processes,
    name: str,
    master: Optional[Address] = None,
    node_rank: Optional[int] = None,
) -> List[str]:
    """Return the words in front of fairseq-train: none for one process, else torchrun's, to be run once on every machine.

    Args: name: what tells this training from others that meet at the same address; master: where the machines meet, None for this one;
    node_rank: this machine's number, for networks in which the first machine does not recognise itself by the master's name.

    Raises LaunchError for a node_rank that does not exist.
    """
    if node_rank is not None and not 0 <= node_rank < processes.nodes:
        raise LaunchError(
            f"--node-rank is {node_rank}; with {processes.nodes} machines it lies between 0 and {processes.nodes - 1}"
        )
    if processes.total == 1:
        return []
    host, port = master or (socket.gethostname(), PORT)
    if processes.nodes == 1:
        meeting = ["--standalone"]
    elif node_rank is None:
        meeting = [
            "--nnodes",
            str(processes.nodes),
            "--rdzv-backend",
            "c10d",
            "--rdzv-endpoint",
            f"{host}:{port}",
            "--rdzv-id",
            name,
        ]
    else:
        meeting = [
            "--nnodes",
            str(processes.nodes),
            "--node-rank",
            str(node_rank),
            "--master-addr",
            host,
            "--master-port",
            str(port),
        ]
    return ["torchrun", *meeting, "--nproc-per-node", str(processes.per_node), "--no-python"]


def parse_master(text: Optional[str]) -> Optional[Address]:
    """Return host and port of HOST or HOST:PORT. Raises LaunchError for anything else."""
    if text is None:
        return None
    host, port = text.rsplit(":", 1) if ":" in text else (text, str(PORT))
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise LaunchError(f"--master is {text!r}; write HOST:PORT, such as node1:{PORT}")
    return host, int(port)


def become(command: Sequence[str], programs: Path) -> NoReturn:
    """Replace this process by a command whose programs lie in a folder.

    torchrun looks for fairseq-train in PATH, and knows nothing of the signal that training processes stop at (training/stop.py): it would
    end at it and leave them behind. What is ignored here is ignored there.
    """
    path = os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)])
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (most, most)
    )  # four files are open for each pair, and 1,024 is a common limit
    program = programs / command[0]
    os.execve(program, [str(program), *command[1:]], {**os.environ, "PATH": path})
