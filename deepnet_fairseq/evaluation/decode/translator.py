"""A model, loaded once, and fairseq's search with it for sentences of all directions mixed."""

import ast
import math
import re
from argparse import Namespace
from dataclasses import dataclass
from typing import Any, List, Optional, Sequence

import numpy as np
import torch
from fairseq import checkpoint_utils, tasks, utils
from fairseq.data import Dictionary, data_utils
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.search import BeamSearch
from torch import Tensor

from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.search import BeamSearchWithLimits, check_supported
from deepnet_fairseq.evaluation.decode.test_data import Direction, Sentence

BYTES = re.compile(r"(?:<0x[0-9A-F]{2}>)+")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Hypothesis:
    """The best translation of a sentence."""

    text: str
    cut: bool  # whether it has the maximum number of tokens that --max-len-a and --max-len-b allow


class Translator:
    """What `fairseq-generate` does with a checkpoint and its flags, without its data.

    Args:
        args: Parsed arguments of fairseq-generate, for any direction.
        device: Where to compute.

    Raises:
        EvaluationError: A flag would have no effect, or fairseq cannot load the checkpoint.
    """

    def __init__(self, args: Namespace, device: torch.device) -> None:
        check_supported(args)
        cfg = convert_namespace_to_omegaconf(args)
        self.device = device
        utils.import_user_module(cfg.common)
        if cfg.common.seed is not None and not cfg.generation.no_seed_provided:
            utils.set_torch_seed(cfg.common.seed)
        self.task = tasks.setup_task(cfg.task)
        self.models = self._load(cfg)
        self.generator = self.task.build_generator(self.models, cfg.generation)
        if type(self.generator.search) is BeamSearch:
            self.generator.search = BeamSearchWithLimits(self.task.target_dictionary)
        self.language_tokens = LanguageTokens(self.task)
        self.post_process = cfg.common_eval.post_process
        positions = [model.max_positions() for model in self.models]
        maximum = utils.resolve_max_positions(self.task.max_positions(), *positions)
        self.max_source_length: int = maximum[0]

    def _load(self, cfg: Any) -> List[Any]:
        path = cfg.common_eval.path
        try:
            overrides = ast.literal_eval(cfg.common_eval.model_overrides)
            models, _ = checkpoint_utils.load_model_ensemble(
                utils.split_paths(path), arg_overrides=overrides, task=self.task
            )
        except Exception as error:  # fairseq raises bare Exceptions
            reason = str(error).strip().partition("\n")[0]
            raise EvaluationError(
                f"{path} cannot be loaded: {type(error).__name__}: {reason}"
            ) from error
        for model in models:
            if cfg.common.fp16:
                model.half()
            model.to(self.device)
            model.prepare_for_inference_(cfg)
        return models

    def translate(self, batch: Sequence[Sentence]) -> List[Optional[Hypothesis]]:
        """Return the best hypothesis of each sentence, or None if it is too long for the model.

        A batch that does not fit into the GPU's memory is split in halves.

        Raises:
            EvaluationError: The search rejects its flags, or one sentence does not fit.
        """
        sources = [self.language_tokens.add_to_source(s.ids, s.direction) for s in batch]
        fitting = [i for i, ids in enumerate(sources) if len(ids) <= self.max_source_length]
        results: List[Optional[Hypothesis]] = [None] * len(batch)
        if fitting:
            hypotheses = self._search([batch[i] for i in fitting], [sources[i] for i in fitting])
            for i, hypothesis in zip(fitting, hypotheses, strict=True):
                results[i] = hypothesis
        return results

    def _search(self, batch: List[Sentence], sources: List[np.ndarray]) -> List[Hypothesis]:
        results = None
        try:
            results = self._generate(batch, sources)
        except AssertionError as error:  # fairseq's, for impossible lengths
            raise EvaluationError(f"fairseq's search: {error}") from error
        except torch.cuda.OutOfMemoryError:
            pass  # the memory of the failed search is freed together with the error
        if results is not None:
            return [self._best(*item) for item in zip(batch, sources, results, strict=True)]
        half = len(batch) // 2
        if half == 0:
            place = f"{batch[0].direction.name}, line {batch[0].line + 1}"
            raise EvaluationError(
                f"{place}: this sentence alone does not fit into the memory of {self.device}; "
                "take a smaller --beam"
            )
        torch.cuda.empty_cache()
        first = self._search(batch[:half], sources[:half])
        return first + self._search(batch[half:], sources[half:])

    def _generate(self, batch: List[Sentence], sources: List[np.ndarray]) -> List[Any]:
        dictionary = self.task.source_dictionary
        tokens = data_utils.collate_tokens(
            [torch.from_numpy(ids.astype(np.int64)) for ids in sources],
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
        prefix = [self.language_tokens.of_target(sentence.direction) for sentence in batch]
        if prefix[0] is None:
            return self.generator.generate(self.models, sample)
        if self.language_tokens.replace_ends:  # one target language per batch, see make_batches
            return self.generator.generate(self.models, sample, bos_token=prefix[0])
        prefix_tokens = torch.tensor(prefix, device=self.device)[:, None]
        return self.generator.generate(self.models, sample, prefix_tokens=prefix_tokens)

    def _limit(self, source: np.ndarray) -> int:
        """Return the maximum number of tokens before </s>, as fairseq does for a batch of one."""
        generator = self.generator
        if generator.match_source_len:
            return int((source != self.task.source_dictionary.eos()).sum())
        limit = math.floor(generator.max_len_a * len(source) + generator.max_len_b)
        return max(min(limit, generator.max_len - 1), generator.min_len)

    def _best(self, sentence: Sentence, source: np.ndarray, results: Any) -> Hypothesis:
        tokens = results[0]["tokens"]
        text = detokenize(
            tokens.cpu(),
            self.task.target_dictionary,
            self.post_process,
            ignore=self.language_tokens.of_target(sentence.direction),
        )
        return Hypothesis(text, cut=len(tokens) > self._limit(source))


class LanguageTokens:
    """The language tokens that a multilingual fairseq task adds, for any of its directions.

    Args:
        task: Set up for one direction; all languages share its dictionary.
    """

    def __init__(self, task: Any) -> None:
        self.manager = task.data_manager
        self.source_spec, self.target_spec = task.args.langtoks["main"]
        self.replace_ends = bool(task.args.lang_tok_replacing_bos_eos)
        for language in task.langs:  # the task has loaded those of its own direction
            self.manager.dicts.setdefault(language, task.source_dictionary)

    def add_to_source(self, ids: np.ndarray, direction: Direction) -> np.ndarray:
        """Return indices that end with </s> as the encoder expects them.

        The token is in front of them, or in place of </s>.
        """
        token = self.manager.get_encoder_langtok(
            direction.source, direction.target, self.source_spec
        )
        if token is None:
            return ids
        return np.append(ids[:-1], token) if self.replace_ends else np.insert(ids, 0, token)

    def of_target(self, direction: Direction) -> Optional[int]:
        """Return the token that hypotheses begin with, or None."""
        return self.manager.get_decoder_langtok(direction.target, self.target_spec)


def detokenize(
    tokens: Tensor,
    dictionary: Dictionary,
    post_process: Optional[str],
    ignore: Optional[int] = None,
) -> str:
    """Return the sentence of tokens [T], as fairseq does, with byte pieces as characters.

    Args:
        tokens: Dictionary indices; </s> is left out.
        dictionary: The target side's.
        post_process: How pieces are joined, by fairseq's name: such as sentencepiece.
        ignore: One more index to leave out.
    """
    ignored = set() if ignore is None else {ignore}
    text = dictionary.string(tokens, post_process, extra_symbols_to_ignore=ignored)
    return join_bytes(text) if "<0x00>" in dictionary else text


def join_bytes(text: str) -> str:
    """Decode runs of SentencePiece's byte pieces, which fairseq prints as they are.

    Control characters, which bytes can spell too, become spaces, so that a line stays one line.
    """

    def decode(run: re.Match) -> str:
        digits = run[0].replace("<0x", "").replace(">", "")
        return bytes.fromhex(digits).decode("utf-8", errors="replace")

    return CONTROL.sub(" ", BYTES.sub(decode, text))
