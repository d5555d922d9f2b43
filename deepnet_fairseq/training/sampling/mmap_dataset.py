"""fairseq's memory-mapped corpora, opened without reading the files or copying sentence lengths."""

import struct

import numpy as np
import torch
from fairseq.data import BaseWrapperDataset, PrependTokenDataset
from fairseq.data.indexed_dataset import (
    MMapIndexedDataset,
    _code_to_dtype,
    data_file_path,
    index_file_path,
)

# Magic, version, code of the token type, number of sentences; then int32 sizes and int64 byte
# offsets (fairseq/data/indexed_dataset.py).
_HEADER = struct.Struct("<9sQBQ")


class LazyMMapDataset(MMapIndexedDataset):
    """Sentences of a .bin and .idx file pair, each a tensor [length] of token ids.

    Stock reads both files from end to end when it opens them: gigabytes before the first update,
    and once per direction. Here a page is read when one of its sentences is asked for.

    Raises:
        ValueError: The index is in another format.
    """

    # Called by __init__ and, in a spawned worker, by __setstate__.
    def _do_init(self, path: str) -> None:
        self._path = path
        index_path = index_file_path(path)
        with open(index_path, "rb") as stream:
            header = stream.read(_HEADER.size)
        magic, version, code, self._length = (
            _HEADER.unpack(header) if len(header) == _HEADER.size else (b"", 0, 0, 0)
        )
        if magic != self.Index._HDR_MAGIC or version != 1 or code not in _code_to_dtype:
            raise ValueError(f"{index_path}: not an index of --dataset-impl mmap")
        self._dtype = np.dtype(_code_to_dtype[code])
        self._index = np.memmap(index_path, mode="r")
        self._bin = np.memmap(data_file_path(path), mode="r")
        pointers = _HEADER.size + 4 * self._length
        self._sizes = np.frombuffer(self._index, np.int32, self._length, _HEADER.size)
        self._pointers = np.frombuffer(self._index, np.int64, self._length, pointers)

    def __del__(self) -> None:
        """Leave the mappings to their own destructors.

        Unlike in stock's class, no other object holds raw pointers into them.
        """

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, i: int) -> torch.Tensor:
        tokens = np.frombuffer(self._bin, self._dtype, self._sizes[i], self._pointers[i])
        return torch.from_numpy(tokens.astype(np.int64))

    @property
    def sizes(self) -> np.ndarray:
        """Lengths [sentences] in tokens, int32, read from the file anew each time."""
        return np.fromfile(index_file_path(self._path), np.int32, self._length, offset=_HEADER.size)


class LazyPrependTokenDataset(PrependTokenDataset):
    """Sentences with a language token in front, as stock's, but lengths are computed on request."""

    def __init__(self, dataset: torch.utils.data.Dataset, token: int) -> None:
        # PrependTokenDataset's own would copy all lengths.
        BaseWrapperDataset.__init__(self, dataset)
        self.token = token

    @property
    def sizes(self) -> np.ndarray:
        """Lengths [sentences] in tokens, including the language token."""
        return self.dataset.sizes + 1
