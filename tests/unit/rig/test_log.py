"""A log keeps its beginning, counts the rest, and remembers the end."""

from __future__ import annotations

import os
import subprocess

from fuselab.system.log import Log


def spoken(log: Log, *argv: str) -> None:
    subprocess.run(argv, stdout=log.write_end, stderr=log.write_end, check=False)
    log.close()


def test_everything_is_kept_below_the_cap(tmp_path):
    with Log(tmp_path / "log") as log:
        spoken(log, "sh", "-c", "echo one; echo two >&2")
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
    assert log.written_bytes == log.kept_bytes == 8


def test_beyond_the_cap_it_counts_and_says_so(tmp_path):
    with Log(tmp_path / "log", cap_bytes=1000) as log:
        spoken(log, "sh", "-c", "head -c 50000000 /dev/zero | tr '\\0' 'x'; echo; echo the end")
    assert log.written_bytes == 50_000_009
    assert log.kept_bytes == 1000
    text = (tmp_path / "log").read_text()
    assert text.startswith("x" * 1000)
    assert "kept 1000 bytes of this log and threw 49999009 away" in text
    assert log.last_lines(1) == "the end"


def test_last_lines_are_those_of_the_end(tmp_path):
    with Log(tmp_path / "log") as log:
        spoken(log, "sh", "-c", "seq 100000")
    assert log.last_lines(3) == "99998\n99999\n100000"


def test_last_lines_hold_what_was_written_though_nobody_has_copied_it_yet(tmp_path):
    log = Log(tmp_path / "log")  # not entered: no thread copies
    subprocess.run(["echo", "my last words"], stdout=log.write_end, check=True)
    assert log.last_lines() == "my last words"
    with log:
        spoken(log, "echo", "and more")
    assert (tmp_path / "log").read_text() == "my last words\nand more\n"


def test_what_is_not_text_is_shown_all_the_same(tmp_path):
    with Log(tmp_path / "log") as log:
        spoken(log, "printf", "a\\377b\\n")
    assert log.last_lines() == "a\ufffdb"


def test_a_writer_that_lives_on_does_not_hold_it(tmp_path):
    with Log(tmp_path / "log") as log:
        child = subprocess.Popen(["sh", "-c", "echo here; exec sleep 1000"], stdout=log.write_end)
        try:
            while not log.last_lines():
                os.sched_yield()
            log.close()
        finally:
            child.kill()
            child.wait()
    assert (tmp_path / "log").read_text() == "here\n"


def test_a_full_disk_does_not_stop_the_program(tmp_path):
    (tmp_path / "log").symlink_to("/dev/full")
    with Log(tmp_path / "log") as log:
        spoken(log, "sh", "-c", "seq 300000")
    assert log.kept_bytes == 0
    assert log.last_lines(1) == "300000"


def test_no_descriptor_is_left(tmp_path):
    before = sorted(os.listdir("/proc/self/fd"))
    with Log(tmp_path / "log") as log:
        spoken(log, "true")
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_words_for_an_error_are_those_that_tell_of_one_and_no_order_to_a_terminal(tmp_path):
    with Log(tmp_path / "log") as log:
        spoken(
            log, "sh", "-c", r"printf '\033[31mERROR\033[0m the store said \033]0;title\007no\n'; seq 100000"
        )
    words = log.last_words().split("\n")
    assert words[0] == "ERROR the store said no"
    assert words[-1] == "100000"
    assert len(words) == 20
