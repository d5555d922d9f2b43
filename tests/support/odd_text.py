"""Sentences that trip scorers up, and a test set of them."""

from pathlib import Path
from typing import Sequence

from deepnet_fairseq.evaluation.score.score import ScoringJob

# (hypothesis, reference)
PAIRS = [
    ("The cat sat on a mat at 3:15 p.m.", "The cat sat on the mat, at 3:15 p.m."),
    ("¿Dónde está la librería? “Aquí”, dijo.", "¿Dónde está la biblioteca? “Aquí”, dijo él."),
    (
        "Am 3. Mai 2021 kostet es 12,50 € (rund 14 Dollar).",
        "Am 3. Mai 2021 kostete es 12,50 € (etwa 14 Dollar).",
    ),
    ("भारत में दस लोग रहते हैं।", "भारत में दस लाख लोग रहते हैं।"),
    ("我们八点去北京 USA，3.5 公里。", "我们明天早上八点去北京 USA，3.5公里。"),
    (
        "ولد جميع الناس أحرارا، متساوين في الحقوق!",
        "يولد جميع الناس أحرارًا ومتساوين في الكرامة والحقوق!",
    ),
    (
        "すべての人間は自由であり、権利について平等である。",
        "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
    ),
    (
        "모든 인간은 자유로우며 존엄과 권리에 있어 동등하다.",
        "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
    ),
    ("", "an empty hypothesis for this line of the test set"),
    (
        "a line\u2028separator and\u0085a next line in one\x0bsentence",
        "a line\u2028separator and\u0085the next line in one\x0bsentence",
    ),
    ("tabs\tbetween\tall of the words", "tabs\tbetween\tall the words of it"),
    (
        "it looks tokenised , does n't it ? &quot; yes &quot; - - 1,000.5 <skipped>",
        "it looks tokenised , does it not ? &quot; yes &quot; - - 1,000.5",
    ),
    ("  two  spaces &amp; no\u00a0break   ", "  two  spaces &amp; a no\u00a0break  "),
    (
        "an emoji 🙂 and a ligature ﬁ and a combining ễ",
        "an emoji 🙃 and a ligature ﬁ and a combining ễ",
    ),
]
HYPOTHESES = [hypothesis for hypothesis, _ in PAIRS]
REFERENCES = [reference for _, reference in PAIRS]
SOURCES = [f"source {number}" for number in range(len(PAIRS))]


def write(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
    return path


def write_job(
    folder: Path,
    target: str,
    hypotheses: Sequence[str] = HYPOTHESES,
    references: Sequence[str] = REFERENCES,
) -> ScoringJob:
    """Write a test set with made-up sources; return its job."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = write(folder / "sources", [f"source {number}" for number in range(len(references))])
    return ScoringJob(
        sources,
        write(folder / "hypotheses", hypotheses),
        write(folder / "references", references),
        target,
    )
