"""The wheel itself: its version, its requirements, how it is compiled (row 1)."""

from typing import Tuple

from .edit import Cut, Edit, Replace

VERSION = "0.12.2+deepnet.1"

REQUIREMENTS = """\
        python_requires=">=3.10,<3.14",
        install_requires=[
            "bitarray>=2.0,<4",
            "hydra-core>=1.3.2,<1.4",
            "numpy>=1.26,<3",
            "omegaconf>=2.3,<2.4",
            "regex>=2022.1.18",
            "sacrebleu>=2.3,<3",
            "torch>=2.6",
            "tqdm>=4.60,<5",
        ],
"""

EDITS: Tuple[Edit, ...] = (
    Edit(
        name="version",
        file="fairseq/version.txt",
        why="a wheel that is not PyPI's must not carry PyPI's version",
        changes=(Replace("0.12.2", VERSION),),
    ),
    Edit(
        name="requirements",
        file="setup.py",
        why="omegaconf<2.1 has metadata that pip refuses; torchaudio is not needed for text",
        changes=(
            Cut("        setup_requires=[\n", "        install_requires=[\n"),
            Cut(
                "        install_requires=[\n",
                "        dependency_links=dependency_links,\n",
                new=REQUIREMENTS,
            ),
            Cut("        dependency_links=dependency_links,\n", "        packages=find_packages("),
            Cut('        test_suite="tests",\n', "        entry_points={"),
        ),
    ),
    Edit(
        name="parallel-build",
        file="setup.cfg",
        why="the extension modules are compiled one after the other",
        changes=(Replace("[egg_info]\n", "[build_ext]\nparallel = 3\n\n[egg_info]\n"),),
    ),
)
