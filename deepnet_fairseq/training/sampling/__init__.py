"""An epoch's examples and batches at the size of OPUS-100: the same as stock fairseq's, in a fraction of its memory."""
