"""A model loaded once, and fairseq's search over it, for sentences of all its directions mixed."""

import ast
import math
from dataclasses import dataclass
from typing import Any, List, Optional, Sequence

import numpy as np
import torch
from fairseq import checkpoint_utils, tasks, utils
from fairseq.data import data_utils
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.search import BeamSearch

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.detokenize import PlainText
from deepnet_fairseq.evaluation.decode.generation_args import parse_command
from deepnet_fairseq.evaluation.decode.languages import LanguageTokens
from deepnet_fairseq.evaluation.decode.memory import keep_freed_memory
from deepnet_fairseq.evaluation.decode.search import BeamSearchWithLimits
from deepnet_fairseq.evaluation.decode.test_data import Sentence


@dataclass(frozen=True)
class Hypothesis:
    """The best translation of a sentence."""

    text: str
    cut: bool  # whether it has the most tokens that --max-len-a and --max-len-b allow


class Translator:
    """What `fairseq-generate` makes of a checkpoint and flags, without its data.

    Args: command: a whole fairseq-generate command, of any direction; device: where to compute.

    Raises EvaluationError for flags that make no sense here, and for a checkpoint that fairseq cannot load.
    """

    def __init__(self, command: Sequence[str], device: torch.device) -> None:
        cfg = convert_namespace_to_omegaconf(parse_command(command))
        self.device = device
        if device.type == "cpu":
            keep_freed_memory()
        utils.import_user_module(cfg.common)
        if cfg.common.seed is not None and not cfg.generation.no_seed_provided:
            utils.set_torch_seed(cfg.common.seed)
        self.task = tasks.setup_task(cfg.task)
        self.models = self._load(cfg)
        self.generator = self.task.build_generator(self.models, cfg.generation)
        if type(self.generator.search) is BeamSearch:
            self.generator.search = BeamSearchWithLimits(self.task.target_dictionary)
        self.languages = LanguageTokens(self.task)
        self.text = PlainText(self.task.target_dictionary, cfg.common_eval.post_process)
        longest = utils.resolve_max_positions(
            self.task.max_positions(), *[model.max_positions() for model in self.models]
        )
        self.longest_source: int = longest[0]

    def _load(self, cfg: Any) -> List[Any]:
        path = cfg.common_eval.path
        try:
            overrides = ast.literal_eval(cfg.common_eval.model_overrides)
            models, _ = checkpoint_utils.load_model_ensemble(
                utils.split_paths(path), arg_overrides=overrides, task=self.task
            )
        except Exception as error:  # fairseq raises bare Exceptions
            raise EvaluationError(
                f"{path} cannot be loaded: {type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            ) from error
        for model in models:
            if cfg.common.fp16:
                model.half()
            model.to(self.device)
            model.prepare_for_inference_(cfg)
        return models

    def translate(self, batch: Sequence[Sentence]) -> List[Optional[Hypothesis]]:
        """The best hypothesis of each sentence; None for one that is too long for the model.

        A batch that does not fit into the GPU's memory is tried in halves.
        """
        sources = [
            self.languages.with_source_token(sentence.ids, sentence.direction) for sentence in batch
        ]
        fitting = [i for i, ids in enumerate(sources) if len(ids) <= self.longest_source]
        found: List[Optional[Hypothesis]] = [None] * len(batch)
        if fitting:
            for i, hypothesis in zip(
                fitting,
                self._search([batch[i] for i in fitting], [sources[i] for i in fitting]),
                strict=True,
            ):
                found[i] = hypothesis
        return found

    def _search(self, batch: List[Sentence], sources: List[np.ndarray]) -> List[Hypothesis]:
        found = None
        try:
            found = self._generate(batch, sources)
        except AssertionError as error:  # fairseq's, for lengths that cannot be
            raise EvaluationError(f"fairseq's search: {error}") from error
        except torch.cuda.OutOfMemoryError:
            pass  # what the failed search held is freed when its error is
        if found is not None:
            return [self._best(*pair) for pair in zip(batch, sources, found, strict=True)]
        half = len(batch) // 2
        if half == 0:
            place = f"{batch[0].direction.name}, line {batch[0].line + 1}"
            raise EvaluationError(
                f"{place}: this sentence alone does not fit into the memory of {self.device}; take a smaller --beam"
            )
        torch.cuda.empty_cache()
        return self._search(batch[:half], sources[:half]) + self._search(
            batch[half:], sources[half:]
        )

    def _generate(self, batch: List[Sentence], sources: List[np.ndarray]) -> List[Any]:
        dictionary = self.task.source_dictionary
        tensors = [torch.from_numpy(ids.astype(np.int64)) for ids in sources]
        tokens = data_utils.collate_tokens(
            tensors,
            dictionary.pad(),
            dictionary.eos(),
            left_pad=bool(self.task.args.left_pad_source),
        ).to(self.device)
        lengths = torch.tensor([len(ids) for ids in sources], device=self.device)
        sample = {
            "id": torch.arange(len(batch), device=self.device),
            "net_input": {"src_tokens": tokens, "src_lengths": lengths},
        }
        if isinstance(self.generator.search, BeamSearchWithLimits):
            self.generator.search.set_limits([self._limit(ids) for ids in sources], self.device)
        begins = [self.languages.target_token(sentence.direction) for sentence in batch]
        if begins[0] is None:
            return self.generator.generate(self.models, sample)
        if self.languages.replaces_ends:  # one target language in a batch, see make_batches
            return self.generator.generate(self.models, sample, bos_token=begins[0])
        return self.generator.generate(
            self.models, sample, prefix_tokens=torch.tensor(begins, device=self.device)[:, None]
        )

    def _limit(self, source: np.ndarray) -> int:
        """The most tokens before </s>, as fairseq computes it for a batch of one."""
        if self.generator.match_source_len:
            return int((source != self.task.source_dictionary.eos()).sum())
        own = math.floor(self.generator.max_len_a * len(source) + self.generator.max_len_b)
        return max(min(own, self.generator.max_len - 1), self.generator.min_len)

    def _best(self, sentence: Sentence, source: np.ndarray, found: Any) -> Hypothesis:
        tokens = found[0]["tokens"]
        text = self.text.of(tokens.cpu(), without=self.languages.target_token(sentence.direction))
        return Hypothesis(text, cut=len(tokens) > self._limit(source))
