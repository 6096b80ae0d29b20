import platform

import pytest

from kaprune_edge.export import TARGETS
from kaprune_edge.export.operator_library import find_library
from kaprune_runtime import InputError, library_path

HERE = [target for target in TARGETS.values() if target.architecture == platform.machine()]
ELSEWHERE = [target for target in TARGETS.values() if target not in HERE]


def foreign(target):
    """The head of a library for the other of the two architectures."""
    machine = {"x86_64": 62, "aarch64": 183}[target.architecture]
    return b"\x7fELF".ljust(18, b"\0") + machine.to_bytes(2, "little")


@pytest.mark.parametrize("target", HERE, ids=lambda target: target.name)
def test_this_machine_s_targets_get_the_installed_library(target):
    assert find_library(target, None) == library_path().read_bytes()


@pytest.mark.parametrize("target", ELSEWHERE, ids=lambda target: target.name)
def test_other_targets_get_none_unless_one_is_given(target, tmp_path):
    assert find_library(target, None) is None
    with pytest.raises(InputError, match=rf"is no library for {target.name}; change --library or --target"):
        find_library(target, library_path())
    if target.architecture is not None:
        given = tmp_path / "libkaprune.so"
        given.write_bytes(foreign(target))
        assert find_library(target, given) == foreign(target)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read .*: No such file or directory; name"),
        (b"", "is no library for"),
        (b"text", "is no"),
    ],
)
def test_what_is_no_library_is_refused(tmp_path, content, message):
    given = tmp_path / "libkaprune.so"
    if content is not None:
        given.write_bytes(content)
    with pytest.raises(InputError, match=message):
        find_library(TARGETS["arm64"], given)


def test_without_an_installed_library_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("KAPRUNE_LIBRARY", str(tmp_path / "absent.so"))
    assert find_library(HERE[0], None) is None
