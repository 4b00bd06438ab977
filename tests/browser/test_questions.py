"""The five questions that people bring to a report, each answered within so many clicks."""

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import Opened, Site

pytestmark = pytest.mark.slow


def first_sentence(page: Page) -> str:
    sentence = page.locator(".sentence").first
    expect(sentence).to_be_in_viewport()
    return sentence.inner_text().replace("\N{NO-BREAK SPACE}", " ")


def test_is_it_slower_and_how_sure_is_that_and_why_without_a_click(opened: Opened, site: Site):
    said = first_sentence(opened.show(site.report()).page)
    assert "waiting writes 3.3 × slower than baseline" in said
    assert "95 % interval" in said
    assert "; control: no difference shown" in said
    assert "more suspended in extend_file_size" in said


@pytest.mark.parametrize("opened", ["desktop", "phone"], indirect=True)
def test_which_function_and_which_line_of_which_commit_with_one_click(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    page.get_by_role("link", name="show me why waiting differs from baseline").click()
    picture = page.locator("#because-seq-write-waiting-baseline")
    expect(picture).to_be_in_viewport()
    expect(picture.get_by_role("img").locator("visible=true")).to_have_accessible_name(
        "One write: baseline to waiting: baseline 361 µs; awaiting in extend_file_size +406 µs; waiting 767 µs"
    )
    place = page.get_by_text("extend_file_size stands at src/fs.rs:140, revision 5164a43bd1e0.")
    expect(place).to_be_in_viewport()


def test_where_there_are_many_verdicts_each_is_one_click_away(opened: Opened, site: Site):
    page = opened.show(site.report("wide")).page
    matrix = page.get_by_role("region", name="Verdicts of every variant under every load")
    expect(matrix).to_be_in_viewport(ratio=0.9)
    matrix.get_by_role("row", name="etcd").get_by_role("link").nth(1).click()
    sentence = page.locator(".verdict").filter(has_text="etcd writes").filter(has_text="rand-write")
    expect(sentence.first).to_be_in_viewport()
