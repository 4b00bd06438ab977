"""Every target on docs/bring-your-filesystem.md is read as it stands, and is as short as the page promises."""

import re
from pathlib import Path

import pytest

from fuselab.target.loading import load_target
from fuselab.target.model import CargoBuild, Installed

PAGE = Path(__file__).resolve().parents[3] / "docs" / "bring-your-filesystem.md"


@pytest.mark.parametrize(("name", "lines", "kind"), [("installed", 15, Installed), ("cargo", 40, CargoBuild)])
def test_an_example_of_the_page_is_a_target(repository: Path, name: str, lines: int, kind: type):
    found = re.search(rf"<!-- example: {name} -->\n```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    assert len(found[1].splitlines()) < lines
    path = repository / "targets" / "myfs" / "target.yaml"
    path.parent.mkdir()
    path.write_text(found[1])
    assert isinstance(load_target("myfs", repository).build, kind)


def test_the_page_s_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text()):
        assert (PAGE.parent / link).is_file(), link
