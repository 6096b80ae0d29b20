"""Every command explains itself, with an example that its own parser accepts."""

import re

import pytest

COMMANDS = (
    *("compress", "prune", "distill", "augment", "export"),
    *("evaluate", "bench", "predict", "demo", "doctor"),
)


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_of_options_that_exist(run, command):
    finished = run(f"kaprune-edge {command} --help")
    assert (finished.code, finished.err) == (0, "")
    example, explained = re.split(
        r"Example: | (?=Arguments: )| (?=Options: )", words(finished.out), maxsplit=2
    )[1:]
    assert example.split()[1] == command
    assert set(re.findall(r"(?<!\S)--?[a-z-]+", example)) <= set(re.findall(r"--?[a-z-]+", explained))


def test_the_commands_are_listed_with_what_they_do(run):
    finished = run("kaprune-edge --help")
    assert run("kaprune-edge") == finished
    listed = finished.out.partition("Commands:")[2]
    assert tuple(re.findall(r"^  (\w+)", listed, re.MULTILINE)) == COMMANDS


def test_the_version_is_that_of_the_package(run):
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", run("kaprune-edge --version").out)
