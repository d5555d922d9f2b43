"""Text in, fairseq's binary corpora out: corpora, vocabulary, binary data."""
