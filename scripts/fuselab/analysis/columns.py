"""Columns of events and spans: numpy's arrays, and Arrow arrays around their memory.

`pyarrow.array` and `to_numpy` would do, but import pandas: a second that nothing here needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Keys = NDArray[np.uint64]
Bools = NDArray[np.bool_]
Sites = NDArray[np.int32]
"""Numbers of places: name, target, file and line."""
Rows = NDArray[np.int32]
"""Numbers of events or spans: half the room of int64, and enough for 2 ** 31."""


def rows_of(chosen: Bools) -> Rows:
    return np.flatnonzero(chosen).astype(np.int32)


def starts(*columns: NDArray[np.generic]) -> Bools:
    """Where a sorted run of equal values begins."""
    new = np.zeros(len(columns[0]), dtype=np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    return new


def numbers(values: NDArray[Any], missing: Bools | None = None) -> Any:
    """Booleans or numbers of any width, null where `missing`."""
    if values.dtype == np.bool_:
        return pa.Array.from_buffers(pa.bool_(), len(values), [_valid(missing), _bits(values)])
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [_valid(missing), _buffer(values)])


def texts(values: Sequence[str | None]) -> pa.StringArray:
    """A few texts; their bytes must fit into 2 GB."""
    encoded = [(value or "").encode() for value in values]
    ends = np.cumsum([len(value) for value in encoded], dtype=np.int32)
    return joined(b"".join(encoded), ends, np.array([value is None for value in values], dtype=np.bool_))


def joined(data: bytes, ends: NDArray[np.int32], missing: Bools) -> pa.StringArray:
    """Texts that lie end to end, given where each ends; null where `missing`."""
    offsets = _buffer(np.concatenate([np.zeros(1, dtype=np.int32), ends]))
    return pa.StringArray.from_buffers(len(ends), offsets, pa.py_buffer(data), _valid(missing))


def table_of(row: type[Any], rows: Sequence[Any]) -> pa.Table:
    """Rows of the dataclass `row`, whose fields are text, whole numbers or others, with None or without."""
    found = {}
    for each in fields(row):
        values, kind = [getattr(one, each.name) for one in rows], str(each.type).split()[0]
        if kind == "str":
            found[each.name] = texts(values)
        else:
            known = [0 if value is None else value for value in values]
            missing = np.array([value is None for value in values], dtype=np.bool_)
            found[each.name] = numbers(np.array(known, np.int64 if kind == "int" else np.float64), missing)
    return pa.table(found)


def encoded(codes: NDArray[Any], words: pa.StringArray, missing: Bools | None = None) -> Any:
    """`words` by their numbers: written out as a dictionary, read back as texts."""
    return pa.DictionaryArray.from_arrays(numbers(codes.astype(np.int32, copy=False), missing), words)


def ranks(values: NDArray[Any]) -> NDArray[np.int32]:
    """The number of each value, in the order in which values first appear."""
    indices = numbers(values).dictionary_encode().indices
    return np.frombuffer(indices.buffers()[1], dtype=np.int32, count=len(values))


def _valid(missing: Bools | None) -> pa.Buffer | None:
    return None if missing is None or not missing.any() else _bits(~missing)


def _bits(values: Bools) -> pa.Buffer:
    return _buffer(np.packbits(values, bitorder="little"))


def _buffer(values: NDArray[Any]) -> pa.Buffer:
    contiguous: Any = np.ascontiguousarray(values)  # pyarrow's stubs do not know that arrays are buffers
    return pa.py_buffer(contiguous)
