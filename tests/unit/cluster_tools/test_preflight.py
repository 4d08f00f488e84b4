"""Each thing a machine lacks is one sentence."""

from dataclasses import replace

import pytest

from qmo_cluster.preflight import GIB, Machine, problems
from qmo_cluster.programs import Profile

GOOD = Machine(
    is_root=True,
    has_go=True,
    programs_are_built=False,
    free_disk_bytes=100 * GIB,
    available_memory_bytes=32 * GIB,
    cpu_flags=frozenset({"avx512f"}),
    drops_forwarded_packets=False,
    has_program=lambda _: True,
)


@pytest.mark.parametrize("profile", Profile)
def test_a_good_machine_lacks_nothing(profile: Profile) -> None:
    """With everything in place there is nothing to say."""
    assert problems(profile, with_vllm=True, machine=GOOD) == []


@pytest.mark.parametrize(
    ("machine", "word"),
    [
        (replace(GOOD, is_root=False), "root"),
        (replace(GOOD, has_go=False), "Go is missing"),
        (replace(GOOD, free_disk_bytes=20 * GIB), "disk"),
        (replace(GOOD, available_memory_bytes=4 * GIB), "memory"),
        (replace(GOOD, cpu_flags=frozenset()), "AVX-512F"),
        (replace(GOOD, drops_forwarded_packets=True), "forwarded"),
        (replace(GOOD, has_program=lambda name: name != "nft"), "nftables"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_lack_is_one_sentence(machine: Machine, word: str) -> None:
    """A single lack gives a single sentence that names it and ends as one."""
    (sentence,) = problems(Profile.NODE, with_vllm=True, machine=machine)

    assert word in sentence
    assert sentence.endswith(".")


def test_the_control_plane_asks_for_little() -> None:
    """A user without root, AVX-512 and network programs can run the control plane profile."""
    poor = replace(
        GOOD,
        is_root=False,
        has_program=lambda name: name == "openssl",
        available_memory_bytes=3 * GIB,
        cpu_flags=frozenset(),
    )

    assert problems(Profile.CONTROL_PLANE, machine=poor) == []


def test_built_programs_need_no_go_and_little_disk() -> None:
    """Once built, neither Go nor the room for its caches is asked for."""
    later = replace(GOOD, has_go=False, programs_are_built=True, free_disk_bytes=3 * GIB)

    assert problems(Profile.NODE, machine=later) == []
