"""The launcher and the flags of fairseq-train for one process or many.

A recipe with tokens_per_update takes the same steps on one GPU and on 64: --update-freq makes up
for the missing GPUs.
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
# fairseq skips sentences longer than --max-tokens; below this, it would skip more than a few.
MINIMUM_TOKENS = 256

Address = Tuple[str, int]


@dataclass(frozen=True)
class Processes:
    """The processes of a training.

    Each machine runs the same number, each process with a GPU of its own or all on the CPU.
    """

    per_node: int = 1
    nodes: int = 1
    cpu: bool = False

    @property
    def total(self) -> int:
        """The number of processes on all machines."""
        return self.per_node * self.nodes

    def __str__(self) -> str:
        if self.cpu:
            return f"{self.total} CPU process{'es' * (self.total > 1)}"
        return f"{self.total} GPU{'s' * (self.total > 1)}"


@dataclass(frozen=True)
class Batch:
    """The share of one process: at most max_tokens at a time, update_freq times per update."""

    max_tokens: int
    update_freq: int

    def total(self, processes: int) -> int:
        """Return the tokens per update of all processes."""
        return processes * self.update_freq * self.max_tokens


def choose_processes(
    visible_gpus: int,
    gpus: Optional[int] = None,
    gpus_per_node: Optional[int] = None,
    nodes: Optional[int] = None,
    processes: Optional[int] = None,
) -> Processes:
    """Return the processes for train.sh's options.

    Without options, one process per visible GPU, or one on the CPU if there is none.

    Raises:
        LaunchError: The numbers contradict each other.
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
                f"--nodes is {nodes}, but this machine has no GPU; "
                "give --gpus, or --processes for the CPU"
            )
        return Processes(per_node, nodes or 1) if per_node else Processes(cpu=True)
    nodes = nodes or math.ceil(gpus / (gpus_per_node or GPUS_PER_NODE))
    per_node = _share("gpus", gpus, nodes)
    if gpus_per_node is not None and nodes > 1 and per_node != gpus_per_node:
        raise LaunchError(
            f"--gpus is {gpus}, but {nodes} machines with {gpus_per_node} each have "
            f"{nodes * gpus_per_node}"
        )
    return Processes(per_node, nodes)


def _share(name: str, count: int, nodes: int) -> int:
    if count % nodes:
        raise LaunchError(
            f"--{name} is {count}, which cannot be split evenly over {nodes} machines"
        )
    return count // nodes


def check_start(processes: Processes, visible_gpus: int, master: Optional[str]) -> None:
    """Raise LaunchError if the processes cannot be started from this machine."""
    if not processes.cpu and processes.per_node > visible_gpus:
        raise LaunchError(
            f"{processes.per_node} GPUs are requested on this machine, which has {visible_gpus}; "
            "--dry-run prints the command for another"
        )
    if processes.nodes > 1 and master is None:
        raise LaunchError(
            f"{processes.nodes} machines need --master HOST:PORT, the same on each, to find each "
            "other"
        )


def split_update(tokens: int, processes: int, max_tokens: int, lower: bool = True) -> Batch:
    """Split the tokens of an update over the processes, as evenly as integers allow.

    Args:
        tokens: Tokens per update.
        processes: Number of processes.
        max_tokens: What fits on a GPU.
        lower: Whether a batch may have fewer than max_tokens, which makes the product exact.

    Returns:
        The batch of one process, with the smallest possible update_freq.

    Raises:
        LaunchError: There are more processes than tokens.
    """
    if processes > tokens:
        raise LaunchError(f"{processes} processes cannot share {tokens:,} tokens per update")
    if not lower:
        return Batch(max_tokens, max(1, round(tokens / (processes * max_tokens))))
    update_freq = math.ceil(tokens / (processes * max_tokens))
    return Batch(max(1, round(tokens / (processes * update_freq))), update_freq)


def find_shortage(tokens: int, processes: Processes, max_tokens: int) -> Optional[str]:
    """Return a complaint if the processes get too few tokens each, or None.

    Enough is as many as a single process would take at a time, or MINIMUM_TOKENS.
    """
    share = split_update(tokens, processes.total, max_tokens).max_tokens
    if share >= min(MINIMUM_TOKENS, split_update(tokens, 1, max_tokens).max_tokens):
        return None
    return (
        f"{tokens:,} tokens per update are {share} for each of {processes}, and longer sentences "
        f"would be skipped; use {max(1, tokens // MINIMUM_TOKENS)} or fewer, or give "
        f"--max-tokens {share} if all are shorter"
    )


def describe(processes: Processes, batch: Batch, tokens: int) -> str:
    """Return the arithmetic of an update in one line; `tokens` is what the config asks for."""
    total = batch.total(processes.total)
    share = f"{batch.max_tokens:,} tokens × update-freq {batch.update_freq}"
    product = f"{processes} × {share} = {total:,} tokens per update"
    if total == tokens:
        return product
    comparison = "more" if total > tokens else "fewer"
    return f"{product} ({abs(total - tokens):,} {comparison} than the config's)"


def process_flags(processes: Processes) -> List[str]:
    """Return fairseq-train's flags for the processes; torchrun's environment tells it the rest."""
    flags = ["--cpu"] * processes.cpu
    if processes.total == 1:
        # Otherwise fairseq takes every visible GPU.
        return flags + ["--distributed-world-size", "1"]
    if processes.cpu:
        # NCCL is for GPUs only, and fairseq gives torch's own DistributedDataParallel a device
        # number, which it rejects on the CPU.
        flags += ["--distributed-backend", "gloo", "--ddp-backend", "legacy_ddp"]
    return flags


def launcher(
    processes: Processes,
    name: str,
    master: Optional[Address] = None,
    node_rank: Optional[int] = None,
) -> List[str]:
    """Return the words in front of fairseq-train, to be run once per machine.

    Args:
        processes: The processes to start.
        name: Tells this training from others with the same master.
        master: Where the machines meet; None for this machine.
        node_rank: This machine's number, for networks in which the first machine does not recognize
            itself by the master's name.

    Returns:
        Nothing for one process, otherwise torchrun with its options.

    Raises:
        LaunchError: There is no such node_rank.
    """
    if node_rank is not None and not 0 <= node_rank < processes.nodes:
        raise LaunchError(
            f"--node-rank is {node_rank}; with {processes.nodes} machines it must be between 0 and "
            f"{processes.nodes - 1}"
        )
    if processes.total == 1:
        return []
    host, port = master or (socket.gethostname(), PORT)
    if processes.nodes == 1:
        meeting = ["--standalone"]
    elif node_rank is None:
        meeting = ["--nnodes", str(processes.nodes), "--rdzv-backend", "c10d"]
        meeting += ["--rdzv-endpoint", f"{host}:{port}", "--rdzv-id", name]
    else:
        meeting = ["--nnodes", str(processes.nodes), "--node-rank", str(node_rank)]
        meeting += ["--master-addr", host, "--master-port", str(port)]
    return ["torchrun", *meeting, "--nproc-per-node", str(processes.per_node), "--no-python"]


def parse_master(text: Optional[str]) -> Optional[Address]:
    """Return host and port of HOST or HOST:PORT.

    Raises:
        LaunchError: The text is anything else.
    """
    if text is None:
        return None
    host, port = text.rsplit(":", 1) if ":" in text else (text, str(PORT))
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise LaunchError(f"--master is {text!r}; write HOST:PORT, such as node1:{PORT}")
    return host, int(port)


def become(command: Sequence[str], programs: Path) -> NoReturn:
    """Replace this process by a command whose programs are in a folder.

    torchrun looks for fairseq-train on the PATH. SIGUSR1, at which training processes stop
    (training/stop.py), would end torchrun and leave them behind: a signal that is ignored here is
    ignored there.
    """
    path = os.pathsep.join([str(programs), os.environ.get("PATH", os.defpath)])
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    # Four files are open per pair, and 1,024 is a common limit.
    _, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))
    program = programs / command[0]
    os.execve(program, [str(program), *command[1:]], {**os.environ, "PATH": path})
