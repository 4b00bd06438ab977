"""Which end belongs to which begin of a span, for the events that fuselab-spans could not pair as they went by.

tracing-chrome writes the id of the *root* span with each event, so all spans of one request share it, and
two concurrent calls of one function share everything except their arguments. Events are matched in four steps,
each on what the step before left over; within a step the last one opened is the first one closed:

1. same root, place and arguments;
2. same root and place, where no two of them were ever open at once (fields recorded late differ in step 1);
3. same root, place and *first* arguments: those that the place only ever has at its end are taken away;
4. same root and place.

All arrays are one-dimensional and have one entry per event unless said otherwise; times are ns.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from fuselab.analysis.columns import Bools, Ints, Keys, Rows, Sites, rows_of, starts

_MIX = np.uint64(0x9E3779B97F4A7C15)
_WORKER_BITS = 1
"""Two threads: more would hold more copies at once than they save time."""


@dataclass(frozen=True)
class Events:
    """Begins and ends in any order."""

    group: Keys
    """Root span id (async style) or thread (threaded style)."""
    site: Sites
    """Number of the place: name, target, file and line."""
    key: Keys
    """Hash of group, place and arguments."""
    ts_ns: Ints
    opens: Bools


@dataclass(frozen=True)
class Pairs:
    """Indices into the events."""

    begins: Rows
    ends: Rows
    """As long as `begins`: the end of each."""
    unclosed: Rows
    """Begins without an end."""
    orphans: int
    """Ends without a begin."""


FirstArguments = Callable[[Rows], Keys]
"""For event indices: a hash of the arguments without those that their place has at its end only."""


def pair(events: Events, first_arguments: FirstArguments) -> Pairs:
    """Match begins and ends. `first_arguments` is asked only about what steps 1 and 2 cannot tell.

    Groups have nothing to do with each other, so a share of them goes to each of 2 ** `_WORKER_BITS` threads: numpy
    sorts without holding the interpreter's lock.
    """
    share = (events.group * _MIX) >> np.uint64(64 - _WORKER_BITS)
    parts = [rows_of(share == number) for number in range(1 << _WORKER_BITS)]
    del share
    with ThreadPoolExecutor(len(parts)) as pool:
        done = list(pool.map(lambda rows: _pair(events, rows, first_arguments), parts))
    left = np.concatenate([left for _, _, left in done])
    opens = events.opens[left]
    return Pairs(
        begins=np.concatenate([begins for begins, _, _ in done]),
        ends=np.concatenate([ends for _, ends, _ in done]),
        unclosed=left[opens],
        orphans=int((~opens).sum()),
    )


def _pair(events: Events, left: Rows, first_arguments: FirstArguments) -> tuple[Rows, Rows, Rows]:
    """(begins, ends, rows without a partner) of whole groups."""
    begins, ends, left = _match(events, left, events.key[left])
    found = [(begins, ends)]
    for step in (2, 3, 4):
        if not len(left):
            break
        key = _mixed(events.group[left], events.site[left])
        if step == 3:
            key = _mixed(key, first_arguments(left))
        begins, ends, left = _match(events, left, key, overlapping=step != 2)
        found.append((begins, ends))
    return np.concatenate([begins for begins, _ in found]), np.concatenate([ends for _, ends in found]), left


def _mixed(one: Keys, other: Sites | Keys) -> Keys:
    """One key from two, each spread over 64 bits: a collision among a million is a one in 10^7 chance."""
    mixed = one * _MIX
    mixed ^= mixed >> np.uint64(29)
    mixed += other.astype(np.uint64)
    mixed *= _MIX
    mixed ^= mixed >> np.uint64(32)
    return mixed


def _match(events: Events, rows: Rows, key: Keys, overlapping: bool = True) -> tuple[Rows, Rows, Rows]:
    """(begins, ends, rows left over) of `rows`, where only equal keys may meet.

    Without `overlapping`, keys that ever have two open at once are left over whole.
    """
    order = np.argsort(key)
    ordered, sorted_key = rows[order], key[order]
    del order
    new = np.append(starts(sorted_key), True)
    # Nearly every key has one begin and one end, or is alone: those need no order in time.
    alone = new[:-1] & new[1:]
    first = rows_of(new[:-2] & ~new[1:-1] & new[2:])
    a, b = ordered[first], ordered[first + 1]
    early, late = np.where(events.opens[a], a, b), np.where(events.opens[a], b, a)
    fits = (events.opens[a] != events.opens[b]) & (events.ts_ns[early] <= events.ts_ns[late])
    other = ~alone
    other[first[fits]] = other[first[fits] + 1] = False
    begins, ends, left = _match_stacks(events, ordered[other], sorted_key[other], overlapping)
    return (
        np.concatenate([early[fits], begins]),
        np.concatenate([late[fits], ends]),
        np.concatenate([ordered[alone], left]),
    )


def _match_stacks(events: Events, rows: Rows, key: Keys, overlapping: bool) -> tuple[Rows, Rows, Rows]:
    """Last opened, first closed, within each key."""
    if not len(rows):
        return rows, rows, rows
    order = np.lexsort((~events.opens[rows], events.ts_ns[rows], key))
    rows, key = rows[order], key[order]
    level = _levels(events.opens[rows], starts(key))
    order = np.lexsort((level, key))  # stable: time stays the order within a level
    opens = events.opens[rows[order]]
    hit = opens[:-1] & ~opens[1:] & ~starts(key[order], level[order])[1:]
    if not overlapping:
        hit &= ~_busy(level, starts(key))[order][:-1]
    at = rows_of(hit)
    rows = rows[order]
    left = np.ones(len(rows), dtype=np.bool_)
    left[at] = left[at + 1] = False
    return rows[at], rows[at + 1], rows[left]


def _levels(opens: Bools, new: Bools) -> Ints:
    """How many of the key are open with this one, itself included; in order of time within each key."""
    step = np.where(opens, 1, -1)
    depth = np.cumsum(step)
    base = (depth - step)[new][np.cumsum(new) - 1]
    level: Ints = depth - base + ~opens
    return level


def _busy(level: Ints, new: Bools) -> Bools:
    """For each row: whether its key ever has two open at once."""
    busy: Bools = (np.maximum.reduceat(level, np.flatnonzero(new)) > 1)[np.cumsum(new) - 1]
    return busy
