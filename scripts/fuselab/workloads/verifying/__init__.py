"""Ways to verify a variant before anything is timed, behind one registry: correct before fast."""

from __future__ import annotations

from fuselab.workloads.verifying.base import Verifier
from fuselab.workloads.verifying.data import Data
from fuselab.workloads.verifying.posix import Posix
from fuselab.workloads.verifying.random import Random

VERIFIERS: dict[str, Verifier] = {verifier.name: verifier for verifier in (Data(), Posix(), Random())}
"""By the word that stands in `verify:` of an experiment."""
