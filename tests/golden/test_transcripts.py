"""What commands print, in pages for users and in transcripts for reviewers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qm_workspace import workspace
from transcripts import Shell, commands, replayed

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = (
    *sorted((REPOSITORY / "operator/docs").glob("*.md")),
    *sorted((Path(__file__).parent / "transcripts").glob("*.md")),
)
CHECKED = [page for page in PAGES if commands(page.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A shell in a folder with checkpoints and manifests, a hub, and a cluster."""
    folder = tmp_path_factory.mktemp("workspace")
    with pytest.MonkeyPatch.context() as patch, workspace(folder) as made:
        patch.chdir(folder)
        yield made


@pytest.mark.parametrize("page", CHECKED, ids=lambda page: page.stem)
def test_transcript(page: Path, shell: Shell, request: pytest.FixtureRequest) -> None:
    """Every command of the page prints exactly what the page shows."""
    written = page.read_text(encoding="utf-8")
    now = replayed(written, shell)
    if request.config.getoption("--rewrite-golden"):
        page.write_text(now, encoding="utf-8")
        written = now
    assert written == now, f"{page} differs; `make golden` rewrites it"


PAGE = """\
```console
$ qm plan nothing --gpu L4
Error: nothing is neither a file nor a folder here; a repository on the hub is \\
written hf://organisation/name
$ echo $?
1
```

```console
$ kubectl get nodes
whatever
```
""".replace("\\\n", "")


def test_a_wrong_output_is_found(shell: Shell) -> None:
    """A page with another output or exit code differs from what is replayed; other pages do not."""
    assert commands(PAGE) == ["qm plan nothing --gpu L4", "echo $?"]
    assert replayed(PAGE, shell) == PAGE
    for wrong in (PAGE.replace("neither", "both"), PAGE.replace("\n1\n", "\n0\n")):
        assert replayed(wrong, shell) == PAGE
    other = PAGE.replace("whatever", "something else")
    assert replayed(other, shell) == other


def test_pages_are_checked() -> None:
    """The pages with commands are found at all."""
    assert {"plan", "qm", "will-it-fit"} <= {page.stem for page in CHECKED}
