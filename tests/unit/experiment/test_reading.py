"""What a correct file means: inheritance, the matrix, contrasts, defaults, units, revisions."""

import subprocess
from pathlib import Path

import pytest

from fuselab.experiment.fitting import misfits
from fuselab.experiment.loading import Loaded, load_experiment
from fuselab.experiment.model import Variant
from fuselab.records.contrast import Contrast
from fuselab.schema.errors import ExperimentErrors
from fuselab.targets.loading import load_target
from fuselab.targets.model import Backend, Link


def names(loaded: Loaded) -> list[str]:
    return [variant.name for variant in loaded.experiment.variants]


def contrasts(loaded: Loaded) -> list[tuple[str, str]]:
    return [(pair.baseline, pair.variant) for pair in loaded.experiment.contrasts]


def test_a_variant_starts_from_what_the_experiment_says(read):
    loaded = read("""
        target: demo
        backend: etcd
        options: {cache: 64m}
        env: {A: 1, B: 2}
        features: [x]
        variants:
          old: {}
          new: {backend: sqlite, options: {inject: wait=4ms}, env: {B: 3}, features: [y]}
        """)
    old, new = loaded.experiment.variants
    assert old == Variant(
        "old", "demo", "etcd", features=("x",), options=(("cache", "64m"),), env=(("A", "1"), ("B", "2"))
    )
    assert new.backend == "sqlite"
    assert new.options == (("cache", "64m"), ("inject", "wait=4ms"))
    assert dict(new.env) == {"A": "1", "B": "3"}
    assert new.features == ("y",)
    assert set(loaded.services) == {"etcd"}


def test_a_whole_number_with_a_fraction_of_nothing_is_that_number(read):
    blocks = read("target: demo\nvariants: {a: {}, b: {options: {cache: 1.0}}}\nblocks: 8.0\n").experiment
    assert repr(blocks.blocks) == "8"
    assert blocks.variant("b").options == (("cache", "1.0"),), "as it is written"


def test_a_variant_of_another_target_inherits_nothing_that_belongs_to_the_first(read):
    loaded = read(
        "target: demo\nbackend: etcd\noptions: {cache: 1g}\nvariants: {demo: {}, disk: {target: floor}}\n"
    )
    disk = loaded.experiment.variant("disk")
    assert (disk.target, disk.backend, disk.options) == ("floor", "none", ())
    assert set(loaded.targets) == {"demo", "floor"}


def test_every_variant_is_compared_with_the_first(read):
    loaded = read("target: demo\nvariants: {a: {}, b: {options: {cache: 1}}, c: {options: {cache: 2}}}\n")
    assert contrasts(loaded) == [("a", "b"), ("a", "c")]


def test_control_adds_a_copy_of_the_baseline(read):
    loaded = read("target: demo\ncontrol: true\nvariants: {a: {backend: etcd}, b: {}}\n")
    assert names(loaded) == ["a", "b", "control"]
    control = loaded.experiment.variant("control")
    assert control.control
    assert (control.backend, control.options) == ("etcd", ())
    assert ("a", "control") in contrasts(loaded)


def test_a_control_can_have_a_name_of_its_own(read):
    loaded = read("target: demo\nvariants: {a: {}, again: {control: true}}\n")
    assert loaded.experiment.variant("again").control


def test_contrasts_by_hand_replace_the_others_but_not_the_control(read):
    loaded = read("""
        target: demo
        control: true
        variants: {a: {}, b: {options: {cache: 1}}, c: {options: {cache: 2}}}
        contrasts: [{baseline: b, variant: c}]
        """)
    assert contrasts(loaded) == [("b", "c"), ("a", "control")]


def test_a_matrix_is_compared_along_one_axis_only(read):
    loaded = read("""
        target: demo
        matrix:
          along: cache
          axes:
            backend: [sqlite, etcd]
            cache:
              small: {options: {cache: 64m}}
              large: {options: {cache: 1g}}
        """)
    assert names(loaded) == ["sqlite-small", "sqlite-large", "etcd-small", "etcd-large"]
    assert loaded.experiment.contrasts == (
        Contrast("sqlite-small", "sqlite-large"),
        Contrast("etcd-small", "etcd-large"),
    )


def test_anchors_and_merges_work(read):
    loaded = read("""
        target: demo
        x-base: &base
          options: {cache: 64m}
        variants:
          old: {}
          new: {<<: *base, backend: etcd}
        """)
    new = loaded.experiment.variant("new")
    assert (new.options, new.backend) == ((("cache", "64m"),), "etcd")


def test_numbers_stay_as_they_are_written(read):
    loaded = read(
        "target: demo\nvariants: {a: {}, b: {env: {MODE: 0755, X: 1e3, ON: on, T: true}, options: {cache: 010}}}\n"
    )
    variant = loaded.experiment.variant("b")
    assert dict(variant.env) == {"MODE": "0755", "X": "1e3", "ON": "on", "T": "true"}
    assert variant.options == (("cache", "010"),)


def test_words_that_were_once_booleans_can_be_names(read):
    assert names(read("target: demo\nvariants: {off: {}, on: {options: {cache: 1}}}\n")) == ["off", "on"]


def test_defaults_are_those_of_the_model(read):
    experiment = read("target: demo\nvariants: {a: {}, b: {backend: etcd}}\n").experiment
    assert (experiment.blocks, experiment.captures, experiment.seed) == (12, 1, 1)
    assert experiment.compare.threshold == 0.05
    assert experiment.compare.primary == ("write.bw",)
    assert experiment.network == "private"


def test_primary_metrics_follow_the_loads(read):
    load = "workloads: {w: {fio: {rw: randrw, size: 1m}}, c: {command: {argv: [sync]}}}\n"
    experiment = read("target: demo\nvariants: {a: {}, b: {backend: etcd}}\n", load).experiment
    assert experiment.compare.primary == ("write.bw", "read.bw", "command.wall_s")


def test_a_load_of_many_figures_leaves_none_of_another_load_out(read):
    load = "workloads: {names: {metadata: {files: 60}}, w: {fio: {rw: write, size: 1m}}}\n"
    primary = read("target: demo\nvariants: {a: {}, b: {backend: etcd}}\n", load).experiment.compare.primary
    assert len(primary) == 6
    assert primary[-1] == "write.bw"


def test_an_experiment_of_benches_alone_is_decided_by_their_mean(read):
    load = "workloads: {core: {criterion: {bench: demo_bench}}}\n"
    experiment = read("target: demo\nvariants: {a: {}, b: {env: {X: y}}}\n", load).experiment
    assert experiment.compare.primary == ("bench.geomean",)


@pytest.mark.parametrize(("written", "threshold"), [("5%", 0.05), ("0.5%", 0.005), ("0.1", 0.1)])
def test_a_threshold_is_percent_or_a_fraction(read, written, threshold):
    experiment = read(
        f"target: demo\nvariants: {{a: {{}}, b: {{backend: etcd}}}}\ncompare: {{threshold: {written}}}\n"
    ).experiment
    assert experiment.compare.threshold == pytest.approx(threshold)


def test_profilers_of_a_list_share_a_capture(read):
    experiment = read(
        "target: demo\nvariants: {a: {}, b: {backend: etcd}}\nprofilers: [[trace-chrome, jemalloc-heap], perf-oncpu]\n"
    ).experiment
    assert experiment.profilers == (("trace-chrome", "jemalloc-heap"), ("perf-oncpu",))


def test_a_profiler_that_one_variant_cannot_have_is_no_error(read):
    loaded = read("target: demo\nvariants: {a: {}, disk: {target: floor}}\nprofilers: [trace-chrome]\n")
    assert loaded.experiment.profilers == (("trace-chrome",),)


class TestWorkloads:
    """The kinds of loads, and how they are prepared."""

    variants = "target: demo\nvariants: {a: {}, b: {backend: etcd}}\n"

    def test_options_of_one_job_stand_alone(self, read):
        load = "workloads: {w: {fio: {rw: randrw, bs: 128k, size: 64m, runtime: 3s, direct: true}}}\n"
        [workload] = read(self.variants, load).experiment.workloads
        assert workload.settings == {
            "jobs": {"w": {"rw": "randrw", "bs": "128k", "size": "64m", "runtime": "3s", "direct": "1"}},
            "global": {},
        }

    def test_several_jobs_share_global_options(self, read):
        load = (
            "workloads: {w: {fio: {global: {size: 1m}, jobs: {r: {rw: read}, w: {rw: write, numjobs: 2}}}}}\n"
        )
        [workload] = read(self.variants, load).experiment.workloads
        assert workload.settings == {
            "jobs": {"r": {"rw": "read"}, "w": {"rw": "write", "numjobs": "2"}},
            "global": {"size": "1m"},
        }

    def test_an_existing_job_file_is_taken_over(self, read, repository: Path):
        job = "; note\n[global]\nsize=1m\n[one]\nrw=read\n[global]\nbs=8k\n[two]\nrw=write\ntime_based\nruntime=1s\n"
        (repository / "experiments" / "mixed.fio").write_text(job)
        [workload] = read(self.variants, "workloads: {w: {fio: {file: mixed.fio}}}\n").experiment.workloads
        assert workload.settings["jobs"] == {
            "one": {"size": "1m", "rw": "read"},
            "two": {"size": "1m", "bs": "8k", "rw": "write", "time_based": "1", "runtime": "1s"},
        }

    def test_a_job_file_with_a_wrong_option_names_the_file(self, read, repository: Path):
        (repository / "experiments" / "mixed.fio").write_text("[one]\nrww=read\nsize=1m\n")
        with pytest.raises(ExperimentErrors, match="fio knows no option 'rww'; did you mean 'rw'") as caught:
            read(self.variants, "workloads: {w: {fio: {file: mixed.fio}}}\n")
        assert caught.value.problems[0].key == "workloads.w.fio.file"

    def test_a_job_file_may_not_leave_the_mount(self, read, repository: Path):
        (repository / "experiments" / "mixed.fio").write_text(
            "[one]\nrw=read\nsize=1m\nfilename=/etc/passwd\n"
        )
        with pytest.raises(ExperimentErrors, match="files are in its 'directory'"):
            read(self.variants, "workloads: {w: {fio: {file: mixed.fio}}}\n")

    def test_all_that_a_job_file_may_not_say_is_said_at_once(self, read, repository: Path):
        (repository / "experiments" / "mixed.fio").write_text(
            "[global]\nrw=read\nsize=1m\ngroup_reporting\n[one]\ndirectory=/mnt/x\n[two]\nrandseed=7\n"
        )
        with pytest.raises(ExperimentErrors) as caught:
            read(self.variants, "workloads: {w: {fio: {file: mixed.fio}}}\n")
        [problem] = caught.value.problems
        assert "[one] directory=/mnt/x: " in problem.message
        assert "[two] randseed=7: " in problem.message
        assert "group_reporting" not in problem.message, "it is on anyway"

    def test_a_job_file_may_place_its_jobs_in_the_mounts_there_are(self, read, repository: Path):
        job = "[one]\nrw=read\nsize=1m\n[two]\nrw=write\nsize=1m\ndirectory={mountpoint2}\n"
        (repository / "experiments" / "mixed.fio").write_text(job)
        load = "workloads: {w: {fio: {file: mixed.fio}}}\n"
        [workload] = read(self.variants, "mounts: 2\n" + load).experiment.workloads
        assert workload.settings["jobs"]["two"]["directory"] == "{mountpoint2}"
        with pytest.raises(ExperimentErrors, match="there is no mount 2: 'mounts' says 1"):
            read(self.variants, load)

    def test_preparation_is_commands_and_fio(self, read):
        load = """workloads:
          w:
            fio: {rw: read, size: 1m}
            prepare: [[mkdir, sub], {fio: {rw: write, size: 1m}}]
            cache: warm
            timeout: 2m
        """
        [workload] = read(self.variants, load).experiment.workloads
        assert workload.prepare == (
            ("mkdir", "sub"),
            ("fio", "--name=prepare", "--directory=.", "--rw=write", "--size=1m"),
        )
        assert (workload.cache, workload.timeout_s) == ("warm", 120.0)

    def test_a_bench_and_a_command(self, read):
        load = """workloads:
          b: {criterion: {bench: demo_bench, filter: big, args: [--sample-size, 20]}}
          c: {command: {argv: [tar, x]}}
        """
        bench, command = read(self.variants, load).experiment.workloads
        assert (bench.kind, bench.settings) == (
            "criterion",
            {"bench": "demo_bench", "filter": "big", "args": ("--sample-size", "20")},
        )
        assert (command.kind, command.settings) == ("command", {"argv": ("tar", "x"), "expect_exit": 0})

    @pytest.mark.parametrize(
        "argv",
        [
            "[sort, -t, '|', list]",
            "[grep, '|', list]",
            "[expr, '1', '<', '2']",
            "[tr, '&', '+']",
            "[sh, -c, 'ls \"$@\"', sh, '>']",
        ],
    )
    def test_what_the_program_reads_itself_is_no_word_of_a_shell(self, read, argv: str):
        load = f"workloads: {{c: {{command: {{argv: {argv}}}}}}}\n"
        (command,) = read(self.variants, load).experiment.workloads
        assert len(command.settings["argv"]) >= 3


def run(folder: Path, *argv: str) -> str:
    """git, as somebody."""
    somebody = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *somebody, *argv], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


class TestRevisions:
    """`rev` is resolved when the file is read, in the target's own source."""

    @pytest.fixture
    def commits(self, repository: Path) -> list[str]:
        source = repository / "targets" / "demo"
        run(source, "init", "-q", "-b", "main")
        made = []
        for name in ("one", "two"):
            (source / name).write_text(name)
            run(source, "add", name)
            run(source, "commit", "-q", "-m", name)
            made.append(run(source, "rev-parse", "HEAD"))
        run(source, "tag", "v1.0", made[0])
        return made

    def test_branches_tags_and_short_hashes_become_commits(self, read, commits):
        loaded = read(f"""
            target: demo
            variants:
              a: {{rev: v1.0}}
              b: {{rev: main}}
              c: {{}}
              d: {{rev: main~1, env: {{A: 1}}}}
              e: {{rev: '{commits[1][:9]}', env: {{A: 1}}}}
            """)
        assert [v.rev for v in loaded.experiment.variants] == [
            commits[0],
            commits[1],
            "worktree",
            commits[0],
            commits[1],
        ]

    def test_two_names_of_one_commit_are_no_difference(self, read, commits):
        with pytest.raises(ExperimentErrors, match="'b' differs from 'a' in nothing"):
            read(f"target: demo\nvariants: {{a: {{rev: v1.0}}, b: {{rev: '{commits[0]}'}}}}\n")

    def test_a_branch_may_be_where_a_release_is_today(self, read, commits, repository):
        run(repository / "targets/demo", "tag", "today", "main")
        release, main = read(
            "target: demo\nvariants: {release: {rev: today}, main: {rev: main}}\n"
        ).experiment.variants
        assert release.rev == main.rev == commits[1]
        assert (release.follows, main.follows) == ("", "refs/heads/main")

    def test_an_unknown_revision_gets_the_nearest(self, read, commits):
        with pytest.raises(
            ExperimentErrors, match=r"no revision 'v1.00' in the source of 'demo'; did you mean 'v1.0'"
        ) as caught:
            read("target: demo\nvariants: {a: {}, b: {rev: v1.00}}\n")
        assert "main" in caught.value.problems[0].allowed

    def test_of_a_shallow_clone_that_is_said_with_the_mend(self, read, commits, repository):
        source = repository / "targets" / "demo"
        (source / ".git" / "shallow").write_text(f"{commits[1]}\n")
        with pytest.raises(ExperimentErrors, match=r"a shallow clone, .* fetch --unshallow --tags"):
            read("target: demo\nvariants: {a: {}, b: {rev: main~1}}\n")

    def test_a_matrix_names_its_variants_by_revision(self, read, commits):
        loaded = read(
            "target: demo\nmatrix: {along: rev, axes: {backend: [sqlite, etcd], rev: [v1.0, main]}}\n"
        )
        assert names(loaded) == ["sqlite-v1.0", "sqlite-main", "etcd-v1.0", "etcd-main"]
        assert loaded.experiment.variant("etcd-main").rev == commits[1]

    @pytest.mark.parametrize(
        ("fits", "known"),
        [
            ("{since: v1.0}", ["old", "new", "here"]),
            ("{until: main}", ["old", "new", "here"]),
            ("{since: main, until: main}", ["new", "here"]),
            ("{until: v1.0}", ["old"]),
        ],
    )
    def test_what_a_target_is_known_to_fit_lies_between_both_ends(
        self, read, commits, repository: Path, fits: str, known: list[str]
    ):
        target = repository / "targets" / "demo" / "target.yaml"
        target.write_text(f"{target.read_text()}fits: {fits}\n")
        loaded = read("target: demo\nvariants: {old: {rev: v1.0}, new: {rev: main}, here: {}}\n")
        said = list(misfits(loaded))
        assert [why.partition(":")[0] for _, why in said] == [
            v.name for v in loaded.experiment.variants if v.name not in known
        ]
        assert all("is known to fit" in why for _, why in said)

    def test_an_end_that_the_source_lacks_is_said(self, read, commits, repository: Path):
        target = repository / "targets" / "demo" / "target.yaml"
        target.write_text(f"{target.read_text()}fits: {{since: v0.9}}\n")
        [(name, why)] = misfits(read("target: demo\nvariants: {a: {}}\nprofilers: [perf-oncpu]\n"))
        assert (name, why) == ("demo", "a: `fits` names v0.9, which the source does not have")

    def test_a_source_without_git_says_so(self, read, repository: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(repository.parent))
        with pytest.raises(ExperimentErrors, match="is not in git"):
            read("target: demo\nvariants: {a: {}, b: {rev: main}}\n")


def test_a_missing_file_names_the_nearest_experiment(repository: Path):
    (repository / "experiments" / "quick.yaml").touch()
    with pytest.raises(ExperimentErrors, match="there is no experiment 'quikc'; did you mean 'quick'"):
        load_experiment(repository / "experiments" / "quikc.yaml", repository)


def test_the_experiments_of_this_repository_can_be_read(checkout: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLAYERFS_SOURCE", str(checkout))
    paths = sorted((checkout / "experiments").glob("*.yaml"))
    assert {"quickstart", "etcd"} <= {path.stem for path in paths}
    for path in paths:
        assert load_experiment(path, checkout).experiment.name == path.stem


def test_a_backend_is_a_store_for_metadata_and_one_for_data(read):
    loaded = read("""
        target: paired
        backend: {meta: etcd}
        variants:
          first: {}
          named: {backend: sqlite-disk}
          quick: {backend: {data: memory}}
        """)
    assert [v.backend for v in loaded.experiment.variants] == ["etcd-disk", "sqlite-disk", "etcd-memory"]
    backends = loaded.targets["paired"].backends
    assert list(backends) == ["sqlite-disk", "sqlite-memory", "etcd-disk", "etcd-memory"]
    assert backends["etcd-memory"] == Backend(
        "etcd-memory",
        services=(("meta", "etcd"),),
        argv=("--meta", "http://127.0.0.1:{meta.port}", "--data", "memory"),
        persists=False,
    )
    assert set(loaded.services) == {"etcd"}


def test_a_matrix_spreads_both_stores_without_a_name_for_each_pair(read):
    loaded = read("""
        target: paired
        matrix:
          along: data
          axes: {meta: [etcd, sqlite], data: [disk, memory]}
        """)
    assert {v.name: v.backend for v in loaded.experiment.variants} == {
        name: name for name in ("etcd-disk", "etcd-memory", "sqlite-disk", "sqlite-memory")
    }
    assert contrasts(loaded) == [("etcd-disk", "etcd-memory"), ("sqlite-disk", "sqlite-memory")]


def test_one_axis_of_a_matrix_leaves_the_other_store_as_the_experiment_says(read):
    loaded = read("""
        target: paired
        backend: {data: memory}
        matrix:
          along: cpu
          axes: {meta: [etcd, sqlite], cpu: {one: {env: {CPU: 1}}, two: {env: {CPU: 2}}}}
        """)
    assert [v.backend for v in loaded.experiment.variants] == ["etcd-memory"] * 2 + ["sqlite-memory"] * 2


def test_a_pair_is_far_off_by_the_names_of_its_stores(read):
    loaded = read("""
        target: paired
        backend: {meta: etcd}
        variants: {near: {}, far: {network: {meta: {delay: 5ms}}}}
        """)
    assert loaded.experiment.variant("far").network == (("meta", Link(0.005)),)


def test_of_a_service_with_members_each_has_a_port_by_its_number(repository: Path):
    (repository / "services" / "trio.yaml").write_text(
        "name: trio\nport: 7000\nmembers: 3\nargv: [serve, --number, '{member}', --port, '{port}']\n"
    )
    path = repository / "targets" / "paired" / "target.yaml"
    trio = "\n  trio: {service: trio, argv: [--meta, '{port}+{port2}+{port3}']}\ndata:"
    path.write_text(path.read_text().replace("\ndata:", trio))
    target = load_target("paired", repository)
    assert target.backends["trio-disk"].argv[1] == "{meta.port}+{meta.port2}+{meta.port3}"
    path.write_text(path.read_text().replace("{port3}", "{port4}"))
    with pytest.raises(ExperimentErrors) as raised:
        load_target("paired", repository)
    [problem] = raised.value.problems
    assert problem.message.startswith("not every backend that this is for has '{port4}'")
    assert "{port3}" in problem.allowed
