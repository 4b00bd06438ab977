"""`verify: [data]`: data with checksums is written by fio, and read back after a remount."""

from __future__ import annotations

from collections.abc import Sequence

from fuselab.workloads.base import LoadContext, LoadResult
from fuselab.workloads.fio.verifying import verify
from fuselab.workloads.verifying.base import DATA, Verifier


class Data(Verifier):
    name = DATA
    session = "write"
    seconds = 10.0

    def run(self, context: LoadContext, known: Sequence[str]) -> LoadResult:
        return verify(context, written=False)

    def read_back(self, context: LoadContext) -> LoadResult:
        return verify(context, written=True)
