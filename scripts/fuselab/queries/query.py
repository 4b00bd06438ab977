"""What is asked in SQL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    """One question, and how the report heads its answer."""

    title: str
    sql: str
