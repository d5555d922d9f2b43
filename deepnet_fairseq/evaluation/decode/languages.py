"""Language tokens, by fairseq's own rules: what training puts before or behind a sentence, every direction gets, too."""

from typing import Any, Optional

import numpy as np

from deepnet_fairseq.evaluation.decode.direction import Direction


class LanguageTokens:
    """What a multilingual task of fairseq's adds to the sources and hypotheses of any direction.

    Args: task: set up for one direction; all languages share its dictionary.
    """

    def __init__(self, task: Any) -> None:
        self.manager = task.data_manager
        self.source_spec, self.target_spec = task.args.langtoks["main"]
        self.replaces_ends = bool(task.args.lang_tok_replacing_bos_eos)
        for language in task.langs:  # the task has loaded those of its own direction
            self.manager.dicts.setdefault(language, task.source_dictionary)

    def with_source_token(self, ids: np.ndarray, direction: Direction) -> np.ndarray:
        """A sentence's indices, </s> at the end, as the encoder wants them: with the token in front, or in place of </s>."""
        token = self.manager.get_encoder_langtok(
            direction.source, direction.target, self.source_spec
        )
        if token is None:
            return ids
        return np.append(ids[:-1], token) if self.replaces_ends else np.insert(ids, 0, token)

    def target_token(self, direction: Direction) -> Optional[int]:
        """The token that hypotheses begin with, or None."""
        return self.manager.get_decoder_langtok(direction.target, self.target_spec)
