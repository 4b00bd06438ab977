"""The command line: `fuselab VERB`. Each verb is a module in `commands/`, imported when it is called."""

from __future__ import annotations

import os
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from fuselab.errors import FuselabError
from fuselab.schema.errors import ExperimentErrors

VERBS = {
    "try": "no YAML: mount any FUSE command line, compare it with the bare directory, profile it",
    "compare": "no YAML: is this revision slower than that one, or than the checkout as it is?",
    "bisect": "which commit made it slower, or made it do more?",
    "run": "measure an experiment: how far it is, how long it takes, and in the end its verdicts",
    "init": "make this folder, beside the source of a filesystem, a place of experiments",
    "gate": "hold an experiment against its guards: an exit code, and words for a pull request",
    "new": "write a commented experiment that runs as it is",
    "check": "say what is wrong with experiments, targets and services",
    "plan": "what an experiment will build, run and take, and what it can find",
    "doctor": "what this machine can do, and the command that mends what it cannot",
    "night": "measure an experiment tonight, and say only what has changed: for cron and timers",
    "hold": "mount one variant in its rig and give a shell there",
    "clean": "list what is no longer needed, and remove it",
    "show": "one run's record in readable form",
    "query": "SQL over the spans, tasks, heap and metrics of an experiment",
    "completion": "names at Tab, in bash, zsh and fish",
    "schema": "print the schemas of the YAML files",
}


class Verbs(click.Group):
    """Loads a verb's module when it is asked for: `check` must not wait for what `query` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = import_module(f"fuselab.commands.{cmd_name.replace('try', 'try_')}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in VERBS:
            from fuselab.schema.diagnostics import near  # Brings a reader of YAML with it: not for each Tab.

            close = near(args[0], list(VERBS))
            hint = f" Did you mean '{close}'?" if close else ""
            ctx.fail(f"There is no verb '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """What a user can mend is said in his words, whatever the verb does; so is a disk that is full."""
        from fuselab.commands.common import fail, faults
        from fuselab.files import unusable

        if os.environ.get("NO_COLOR"):  # https://no-color.org
            ctx.color = False
        try:
            return super().invoke(ctx)
        except FuselabError as error:
            fail(str(error))
        except ExperimentErrors as errors:
            click.echo(faults(errors.problems), err=True)
            raise SystemExit(1) from None
        except OSError as error:
            if (words := unusable(error)) is None:
                raise
            raise click.ClickException(words) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The verbs themselves: click would load the module of each to ask whether it is hidden."""
        found = [
            CompletionItem(verb, help=words) for verb, words in VERBS.items() if verb.startswith(incomplete)
        ]
        return found or super(click.Group, self).shell_complete(ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="fuselab")
def main() -> None:
    """Compare builds of a FUSE filesystem under load, and see where the time and the memory go."""
