"""Test sentences read: every line accounted for, whatever is in it."""

from pathlib import Path

import numpy as np
import pytest
import sentencepiece

from deepnet_fairseq.data.encoder import Encoder
from deepnet_fairseq.data.vocabulary import MODEL_NAME, load_dictionary, write_dictionary
from deepnet_fairseq.errors import EvaluationError
from deepnet_fairseq.evaluation.decode.test_data import Direction, count_test_lines, read_source

DIRECTION = Direction("de", "en")
LINES = ["a b a", "", "a\u2028b", "b 龍 a", "   ", "b" * 3000, "a\tb"]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vocabulary")
    text = folder / "text"
    text.write_text("a b\nb a\nab ba\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "spm"),
        vocab_size=8,
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        minloglevel=2,
    )
    assert MODEL_NAME == "spm.model"
    write_dictionary(folder)
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for path in (DIRECTION.source_file(tmp_path), DIRECTION.reference_file(tmp_path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + "\n" for line in LINES), encoding="utf-8")
    return tmp_path


def test_every_line_is_a_sentence_or_empty(vocabulary: Path, corpus: Path) -> None:
    source = read_source(DIRECTION, corpus, Encoder(vocabulary))
    assert source.lines == len(LINES) == count_test_lines(DIRECTION, corpus)
    assert source.empty == [1, 4]
    assert [sentence.line for sentence in source.sentences] == [0, 2, 3, 5, 6]
    assert source.unknown == [3]


def test_sentences_are_encoded_as_sentencepiece_and_fairseq_do_it(
    vocabulary: Path, corpus: Path
) -> None:
    model = sentencepiece.SentencePieceProcessor(model_file=str(vocabulary / MODEL_NAME))
    dictionary = load_dictionary(vocabulary)
    for sentence in read_source(DIRECTION, corpus, Encoder(vocabulary)).sentences:
        pieces = " ".join(model.encode(LINES[sentence.line], out_type=str))
        expected = dictionary.encode_line(pieces, add_if_not_exist=False).numpy()
        np.testing.assert_array_equal(sentence.ids, expected, err_msg=LINES[sentence.line][:20])


@pytest.mark.parametrize(
    ("references", "counts"), [("one\n", "has 7 lines, .* 1"), ("", "has 7 lines, .* 0")]
)
def test_sides_of_different_length_are_rejected(corpus: Path, references: str, counts: str) -> None:
    DIRECTION.reference_file(corpus).write_text(references)
    with pytest.raises(
        EvaluationError, match=rf"opus\.de-en-test\.de {counts}; they must be as many"
    ):
        count_test_lines(DIRECTION, corpus)


def test_no_lines_at_all_are_rejected(corpus: Path) -> None:
    for path in (DIRECTION.source_file(corpus), DIRECTION.reference_file(corpus)):
        path.write_text("")
    with pytest.raises(
        EvaluationError, match="has 0 lines, .* 0; they must be as many, and at least one"
    ):
        count_test_lines(DIRECTION, corpus)
