"""A sweep over a mount option, whole: every value is verified as it is mounted, and who loses data at one has failed
there alone."""

from __future__ import annotations

import pytest
from tests.mount.conftest import Workspace

from fuselab.files import read_json
from fuselab.records.places import VERIFY
from fuselab.records.verified import Verified

pytestmark = [pytest.mark.mount, pytest.mark.slow]

# Wherever DAMAGE is 1, what was kept is another at the next mount.
LOSSY = """
if [ "$DAMAGE" = 1 ]; then
    find "$1" -type f -exec dd if=/dev/zero of={} bs=4k count=1 seek=1 conv=notrunc status=none ';'
fi
exec bindfs -f "$1" "$2"
"""
TARGET = """
title: bindfs, with an option of which one value breaks data
build: {{installed: {{binary: bindfs, version: [bindfs, --version]}}}}
mount: {{argv: [sh, "{script}", "{{state}}", "{{mountpoint}}"]}}
options: {{damage: {{env: {{DAMAGE: "{{value}}"}}, description: "1 breaks what was written"}}}}
"""
EXPERIMENT = """
title: an option of which one value breaks data
target: lossy
variants: {baseline: {}, other: {env: {NOBODY_READS: this}}}
workloads:
  w: {fio: {rw: write, bs: 128k, size: 4m}}
  c: {fio: {rw: write, bs: 128k, size: 4m}, sweep: {over: options.damage, values: [0, 1]}}
blocks: 1
"""


def test_a_value_that_breaks_data_fails_its_point_and_the_curve_and_no_other_load(
    workspace: Workspace,
) -> None:
    script = workspace.root / "lossy.sh"
    script.write_text(LOSSY)
    workspace.target("lossy", TARGET.format(script=script))
    workspace.experiment("swept", EXPERIMENT)
    workspace.make("results/swept/report.html")
    home = workspace.root / "results/swept"
    found = [read_json(path, Verified) for path in home.glob(f"verify/*/*/{VERIFY}")]
    for variant in ("baseline", "other"):
        assert sorted(v.status for v in found if v.variant == variant) == ["failed", "ok", "ok"]
    rows = {row["workload"]: row for row in workspace.rows("swept") if row["metric"] == "write.bw"}
    assert {name for name, row in rows.items() if row["verdict"] == "failed"} == {"c-damage-1", "c"}
    assert rows.keys() == {"w", "c", "c-damage-0", "c-damage-1"}
    timed = {run["workload"] for run in workspace.runs("swept").values() if run["purpose"] == "timed"}
    assert timed == {"w", "c-damage-0"}, "nothing is timed that does not keep its data"
    page = (home / "report.html").read_text()
    assert "returned wrong data" in page
