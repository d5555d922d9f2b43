"""A stub of unbabel-comet 2.2.7's comet-score: same interface, with word overlap as the model."""

import json
import stat
import sys
from pathlib import Path
from typing import List

SCRIPT = """#!{python}
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("-s", "--sources")
parser.add_argument("-t", "--translations", nargs="+")
parser.add_argument("-r", "--references")
parser.add_argument("--batch_size", type=int, default=16)
parser.add_argument("--gpus", type=int, default=1)
parser.add_argument("--quiet", action="store_true")
parser.add_argument("--only_system", action="store_true")
parser.add_argument("--to_json", default="")
parser.add_argument("--model", default="Unbabel/wmt22-comet-da")
options = parser.parse_args()
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
is_local = options.model.endswith(".ckpt") and os.path.exists(options.model)
if not is_local or os.environ.get("HF_HUB_OFFLINE") != "1":
    sys.exit("the model would be downloaded")
def lines(path):
    with open(path, encoding="utf-8") as stream:
        return [line.strip() for line in stream.readlines()]
sources, references, data, means = lines(options.sources), lines(options.references), {{}}, {{}}
for file in options.translations:
    rows = [dict(zip(("src", "mt", "ref"), row)) for row in zip(sources, lines(file), references)]
    for row in rows:
        words = set(row["ref"].split())
        row["COMET"] = len(set(row["mt"].split()) & words) / max(1, len(words))
        if not options.only_system:
            print("{{}}\\tSegment {{}}\\tscore: {{:.4f}}".format(file, 0, row["COMET"]))
    data[file], means[file] = rows, sum(row["COMET"] for row in rows) / len(rows)
for file in options.translations:
    print("{{}}\\tscore: {{:.4f}}".format(file, means[file]))
if options.to_json != "":
    with open(options.to_json, "w", encoding="utf-8") as outfile:
        json.dump(data, outfile, ensure_ascii=False, indent=4)
    print("Predictions saved in: {{}}.".format(options.to_json))
"""


def overlap(hypothesis: str, reference: str) -> float:
    """Return the stub's score of a line."""
    words = set(reference.split())
    return len(set(hypothesis.split()) & words) / max(1, len(words))


def install_stub(folder: Path) -> Path:
    """Install the stub as folder/comet-score, beside a python that prints the version 2.2.7."""
    folder.mkdir(exist_ok=True)
    write_program(folder / "python", "#!/bin/sh\necho 2.2.7\n")
    return write_program(
        folder / "comet-score", SCRIPT.format(python=sys.executable, calls=str(folder / "calls"))
    )


def calls_of(stub: Path) -> List[List[str]]:
    """Return the arguments of each call so far."""
    calls = stub.with_name("calls")
    return [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []


def write_program(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
