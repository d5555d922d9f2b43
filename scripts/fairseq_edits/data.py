"""Dictionaries, numpy's retired names, data loaders (rows 10, 11 and part of 14)."""

from typing import Tuple

from .edit import Edit, Replace

IS_PADDING_WORD = '''\
def is_padding_word(word, count):
    """Tell whether *word* is one that `pad_to_multiple_` made up, not one of the text."""
    return count == 0 and re.fullmatch(r"madeupword\\d{4,}", word) is not None


class Dictionary:
'''

SKIP_PADDING_WORD = """\
                word = line
                if word in self and not overwrite and is_padding_word(word, count):
                    continue  # two dictionaries that were each padded to a multiple
                if word in self and not overwrite:
"""

EDITS: Tuple[Edit, ...] = (
    Edit(
        name="numpy-int",
        file="fairseq/data/data_utils.py",
        why="np.int was removed in numpy 1.24",
        changes=(Replace("                    np.int,\n", "                    int,\n"),),
    ),
    Edit(
        name="numpy-float",
        file="fairseq/modules/dynamic_crf_layer.py",
        why="np.float was removed in numpy 1.24",
        changes=(Replace('np.float("inf")', 'float("inf")'), Replace("import numpy as np\n", "")),
    ),
    Edit(
        name="dictionary-padding-words",
        file="fairseq/data/dictionary.py",
        why="two dictionaries written by fairseq-preprocess could not be joined: 'Duplicate word madeupword0000'",
        changes=(
            Replace("import os\n", "import os\nimport re\n"),
            Replace("class Dictionary:\n", IS_PADDING_WORD),
            Replace(
                "                word = line\n                if word in self and not overwrite:\n",
                SKIP_PADDING_WORD,
            ),
            Replace(
                "            idx2 = new_dict.indices[word]\n",
                "            idx2 = new_dict.indices[word]\n"
                "            if is_padding_word(word, new_dict.count[idx2]):\n"
                "                continue\n",
            ),
        ),
    ),
    Edit(
        name="pin-memory-only-for-cuda",
        file="fairseq/data/iterators.py",
        why="torch warns about pin_memory on every epoch when no accelerator is found",
        changes=(Replace("pin_memory=True,", "pin_memory=torch.cuda.is_available(),", count=2),),
    ),
)
