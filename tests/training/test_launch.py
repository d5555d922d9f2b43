"""launch.py: processes, the tokens of an update, and the launcher in front of fairseq-train."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

import pytest

from deepnet_fairseq.errors import LaunchError
from deepnet_fairseq.training.launch import (
    PORT,
    Batch,
    Processes,
    check_start,
    choose_processes,
    describe,
    find_shortage,
    launcher,
    parse_master,
    process_flags,
    split_update,
)

CHOICES = [
    ("no GPU, no option", 0, {}, Processes(cpu=True)),
    ("one GPU, no option", 1, {}, Processes(1)),
    ("all GPUs of this machine", 4, {}, Processes(4)),
    ("some of them", 4, {"gpus": 2}, Processes(2)),
    ("more than a machine has by default", 0, {"gpus": 64}, Processes(8, 8)),
    ("as many machines as it takes", 0, {"gpus": 12, "gpus_per_node": 4}, Processes(4, 3)),
    ("machines by number", 0, {"gpus": 12, "nodes": 2}, Processes(6, 2)),
    ("machines like this one", 4, {"nodes": 3}, Processes(4, 3)),
    ("machines unlike this one", 4, {"nodes": 3, "gpus_per_node": 8}, Processes(8, 3)),
    ("GPUs on one machine", 0, {"gpus_per_node": 2}, Processes(2)),
    ("the CPU in spite of GPUs", 4, {"processes": 2}, Processes(2, cpu=True)),
    ("the CPUs of two machines", 0, {"processes": 6, "nodes": 2}, Processes(3, 2, cpu=True)),
]


@pytest.mark.parametrize(
    ("visible", "options", "expected"), [c[1:] for c in CHOICES], ids=[c[0] for c in CHOICES]
)
def test_processes_follow_from_the_options_and_the_machine(
    visible: int, options: Dict[str, int], expected: Processes
) -> None:
    assert choose_processes(visible, **options) == expected


REFUSED = [
    ({"gpus": 0}, r"--gpus is 0; it must be at least 1"),
    ({"nodes": -1}, r"--nodes is -1; it must be at least 1"),
    ({"processes": 2, "gpus": 2}, r"--processes is for training on the CPU"),
    (
        {"processes": 3, "nodes": 2},
        r"--processes is 3, which cannot be split evenly over 2 machines",
    ),
    ({"gpus": 9, "nodes": 2}, r"--gpus is 9, which cannot be split evenly over 2 machines"),
    (
        {"gpus": 12, "nodes": 2, "gpus_per_node": 8},
        r"--gpus is 12, but 2 machines with 8 each have 16",
    ),
    ({"nodes": 2}, r"--nodes is 2, but this machine has no GPU"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=[m for _, m in REFUSED])
def test_numbers_that_do_not_go_together_are_refused(options: Dict[str, int], message: str) -> None:
    with pytest.raises(LaunchError, match=message):
        choose_processes(0, **options)


STARTS = [
    (Processes(4), 2, None, r"4 GPUs are requested on this machine, which has 2"),
    (Processes(8, 2), 8, None, r"2 machines need --master HOST:PORT"),
    (Processes(2, 2, cpu=True), 0, None, r"2 machines need --master HOST:PORT"),
    (Processes(2), 2, None, None),
    (Processes(8, 2), 8, "node1", None),
    (Processes(5, cpu=True), 0, None, None),
]


@pytest.mark.parametrize(("processes", "visible", "master", "message"), STARTS)
def test_what_cannot_be_started_from_here_is_refused(
    processes: Processes, visible: int, master: Optional[str], message: Optional[str]
) -> None:
    if message is None:
        check_start(processes, visible, master)
        return
    with pytest.raises(LaunchError, match=message):
        check_start(processes, visible, master)


SPLITS = [
    ("the paper's update on its own 128 GPUs", 128 * 4096, 128, 4096, Batch(4096, 1)),
    ("on 64", 128 * 4096, 64, 4096, Batch(4096, 2)),
    ("on 8", 128 * 4096, 8, 4096, Batch(4096, 16)),
    ("on one", 128 * 4096, 1, 4096, Batch(4096, 128)),
    ("on one that holds less", 128 * 4096, 1, 3000, Batch(2996, 175)),
    ("on twelve, which do not divide it", 128 * 4096, 12, 4096, Batch(3972, 11)),
    ("a small one on one GPU", 4000, 1, 4096, Batch(4000, 1)),
    ("a small one on eight", 4000, 8, 4096, Batch(500, 1)),
    ("a small one on more than it is good for", 4000, 64, 4096, Batch(62, 1)),
]


@pytest.mark.parametrize(
    ("tokens", "processes", "bound", "expected"),
    [s[1:] for s in SPLITS],
    ids=[s[0] for s in SPLITS],
)
def test_an_update_has_its_tokens_on_any_number_of_processes(
    tokens: int, processes: int, bound: int, expected: Batch
) -> None:
    batch = split_update(tokens, processes, bound)
    assert batch == expected
    assert batch.max_tokens <= bound
    # max_tokens is an integer: each part of the update loses or gains half a token at most
    assert abs(batch.total(processes) - tokens) <= processes * batch.update_freq / 2


def test_tokens_that_the_caller_fixes_leave_the_number_of_parts_to_choose() -> None:
    assert split_update(128 * 4096, 8, 1000, lower=False) == Batch(1000, 66)
    assert split_update(128 * 4096, 8, 200000, lower=False) == Batch(200000, 1)


def test_more_processes_than_tokens_are_refused() -> None:
    with pytest.raises(LaunchError, match=r"65 processes cannot share 64 tokens per update"):
        split_update(64, 65, 4096)


def test_shares_shorter_than_sentences_are_a_shortage_unless_one_process_takes_no_more() -> None:
    assert find_shortage(4000, Processes(8), 4096) is None  # 500 each
    complaint = find_shortage(4000, Processes(8, 8), 4096)
    assert complaint.startswith("4,000 tokens per update are 62 for each of 64 GPUs")
    assert "use 15 or fewer, or give --max-tokens 62" in complaint
    assert find_shortage(4000, Processes(15), 4096) is None
    assert find_shortage(4000, Processes(16), 4096) is not None
    assert find_shortage(1000, Processes(2, cpu=True), 100) is None  # 100 each, as on one
    # 65 each, as on one in two parts
    assert find_shortage(130, Processes(2, cpu=True), 100) is None
    assert find_shortage(90, Processes(2, cpu=True), 100) is not None  # 45 each, 90 on one


def test_the_arithmetic_of_an_update_is_one_line() -> None:
    assert (
        describe(Processes(8), Batch(4096, 16), 524288)
        == "8 GPUs × 4,096 tokens × update-freq 16 = 524,288 tokens per update"
    )
    assert describe(Processes(1), Batch(2996, 175), 524288).endswith(
        "= 524,300 tokens per update (12 more than the config's)"
    )
    assert describe(Processes(8, 8), Batch(62, 1), 4000).endswith(
        "= 3,968 tokens per update (32 fewer than the config's)"
    )
    assert describe(Processes(2, cpu=True), Batch(50, 1), 100).startswith("2 CPU processes ×")


def test_fairseq_is_told_what_torchrun_does_not_tell_it() -> None:
    assert process_flags(Processes(1)) == ["--distributed-world-size", "1"]
    assert process_flags(Processes(1, cpu=True)) == ["--cpu", "--distributed-world-size", "1"]
    assert process_flags(Processes(8, 2)) == []
    assert process_flags(Processes(2, cpu=True)) == [
        "--cpu",
        "--distributed-backend",
        "gloo",
        "--ddp-backend",
        "legacy_ddp",
    ]


NODES = "torchrun --nnodes 2"
LAUNCHERS = [
    ("one process", Processes(1), {}, ""),
    ("one machine", Processes(8), {}, "torchrun --standalone --nproc-per-node 8 --no-python"),
    (
        "several machines",
        Processes(8, 2),
        {"master": ("node1", 1234)},
        f"{NODES} --rdzv-backend c10d --rdzv-endpoint node1:1234 --rdzv-id name "
        "--nproc-per-node 8 --no-python",
    ),
    (
        "several machines that are numbered",
        Processes(8, 2),
        {"master": ("10.0.0.1", 1234), "node_rank": 1},
        f"{NODES} --node-rank 1 --master-addr 10.0.0.1 --master-port 1234 "
        "--nproc-per-node 8 --no-python",
    ),
]


@pytest.mark.parametrize(
    ("processes", "options", "expected"), [c[1:] for c in LAUNCHERS], ids=[c[0] for c in LAUNCHERS]
)
def test_the_launcher_is_torchruns(
    processes: Processes, options: Dict[str, Any], expected: str
) -> None:
    words = launcher(processes, "name", **options)
    assert words == expected.split()
    if words:
        from torch.distributed.run import parse_args

        args = parse_args(
            [*words[1:], "fairseq-train", "data", "--max-tokens", "5"]
        )  # torchrun's own parser
        assert (args.training_script, args.training_script_args) == (
            "fairseq-train",
            ["data", "--max-tokens", "5"],
        )


@pytest.mark.parametrize("rank", [-1, 2])
def test_a_machine_that_does_not_exist_is_refused(rank: int) -> None:
    with pytest.raises(
        LaunchError, match=rf"--node-rank is {rank}; with 2 machines it must be between 0 and 1"
    ):
        launcher(Processes(1, 2), "name", ("node1", PORT), rank)


def test_masters_are_hosts_with_or_without_a_port() -> None:
    assert parse_master(None) is None
    assert parse_master("node1") == ("node1", PORT)
    assert parse_master("node1:1234") == ("node1", 1234)


@pytest.mark.parametrize("text", ["", ":1234", "node1:", "node1:port", "node1:0", "node1:65536"])
def test_other_masters_are_refused(text: str) -> None:
    with pytest.raises(LaunchError, match=r"--master is .*; write HOST:PORT"):
        parse_master(text)


def test_a_process_becomes_a_program_that_ignores_the_signal_and_finds_its_neighbours(
    tmp_path: Path,
) -> None:
    lines = {
        "program": ["#!/usr/bin/env bash", "kill -USR1 $$", 'neighbour "$@"'],
        "neighbour": ["#!/usr/bin/env bash", 'echo "$#" "$@"'],
    }
    for name, text in lines.items():
        (tmp_path / name).write_text("\n".join(text) + "\n")
        (tmp_path / name).chmod(0o755)
    code = "import sys, pathlib; from deepnet_fairseq.training.launch import become; "
    code += "become(['program', *sys.argv[2:]], pathlib.Path(sys.argv[1]))"
    words: List[Any] = [sys.executable, "-c", code, tmp_path, "a b", "--c"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2 a b --c\n", "")
