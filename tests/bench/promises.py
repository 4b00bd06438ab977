"""How the benches say what was promised and what was measured: one line each, alike in all of them."""

from __future__ import annotations


def promise(what: str, measured: float, bound: float, unit: str = "times", at_least: bool = False) -> bool:
    """Print a line; whether it is kept. Nothing fails by it: wall time is a matter of the machine, too."""
    kept = measured >= bound if at_least else measured <= bound
    word = "at least" if at_least else "at most"
    print(
        f"{'kept    ' if kept else 'NOT KEPT'}  {what:<52} {measured:9.2f} {unit:<5}  {word} {bound:g}",
        flush=True,
    )
    return kept
