"""Where the API server is: in a pod, or by a kubeconfig."""

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from quantized_model_operator.cluster.connection import (
    Connection,
    ConnectionConfigError,
    in_cluster,
)
from quantized_model_operator.cluster.credentials import CallableToken, TokenFile
from quantized_model_operator.cluster.kubeconfig import find_connection, from_kubeconfig


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    folder = tmp_path_factory.mktemp("pki")
    certificate, key = folder / "crt.pem", folder / "key.pem"
    words = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=otter"]
    subprocess.run(["openssl", "req", *words, *names], check=True, capture_output=True)  # noqa: S603, S607
    return certificate, key


def write(path: Path, user: dict[str, Any], **cluster: Any) -> str:  # noqa: ANN401 - JSON
    """A kubeconfig with one context ``zoo`` and another that is not current."""
    where = {"server": "https://api.example:6443/", **cluster}
    document = {
        "current-context": "zoo",
        "contexts": [
            {"name": "zoo", "context": {"cluster": "c", "user": "u", "namespace": "pond"}},
            {"name": "other", "context": {"cluster": "d", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": where},
            {"name": "d", "cluster": {"server": "http://other.example"}},
        ],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


async def header_of(connection: Connection) -> str:
    """The header that requests would carry."""
    return await connection.authorization.header()


async def test_a_token(tmp_path: Path) -> None:
    """Server, namespace and token of the current context are taken."""
    connection = from_kubeconfig(write(tmp_path / "config", {"token": "secret"}))
    assert connection.server == "https://api.example:6443"
    assert connection.default_namespace == "pond"
    assert await header_of(connection) == "Bearer secret"
    assert connection.tls is not None
    assert connection.tls.check_hostname


async def test_another_context(tmp_path: Path) -> None:
    """The named context wins, and plain HTTP needs no TLS."""
    path = write(tmp_path / "config", {"token": "secret"})
    connection = from_kubeconfig(path, "other")
    assert connection.server == "http://other.example"
    assert connection.tls is None


async def test_certificates_inline_and_in_files(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    """Client certificates and CAs are read from data and from files beside the kubeconfig."""
    names = {"client-certificate": certificate[0], "client-key": certificate[1]}
    inline = {
        f"{name}-data": base64.b64encode(path.read_bytes()).decode() for name, path in names.items()
    }
    authority = base64.b64encode(certificate[0].read_bytes()).decode()
    by_data = from_kubeconfig(
        write(tmp_path / "a", inline, **{"certificate-authority-data": authority})
    )
    by_file = from_kubeconfig(
        write(
            tmp_path / "b",
            {name: str(path) for name, path in names.items()},
            **{"certificate-authority": str(certificate[0])},
        )
    )
    for connection in (by_data, by_file):
        assert connection.tls is not None
        assert [item["subject"] for item in connection.tls.get_ca_certs()] == [
            ((("commonName", "otter"),),)
        ]
        assert await header_of(connection) == ""


async def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    """A token file is read anew after a minute, at once when told, and survives a bad moment."""
    now = 0.0
    file = tmp_path / "token"
    file.write_text("one\n")
    token = TokenFile(file, lambda: now)
    assert await token.header() == "Bearer one"
    file.write_text("two\n")
    assert await token.header() == "Bearer one"
    assert await token.header(renew=True) == "Bearer two"
    file.write_text("three\n")
    now = 61.0
    assert await token.header() == "Bearer three"
    file.unlink()
    now = 200.0
    assert await token.header() == "Bearer three"


async def test_a_plugin_is_run_by_the_official_client(tmp_path: Path) -> None:
    """A kubeconfig with an exec plugin works, and the token comes from the plugin."""
    answer = (
        '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",'
        ' "status": {"token": "from-plugin"}}'
    )
    plugin = tmp_path / "plugin.sh"
    plugin.write_text(f"#!/bin/sh\necho '{answer}'\n")
    plugin.chmod(0o755)
    user = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(plugin),
            "interactiveMode": "Never",
        }
    }
    connection = from_kubeconfig(write(tmp_path / "config", user))
    assert isinstance(connection.authorization, CallableToken)
    assert await header_of(connection) == "Bearer from-plugin"
    assert connection.server == "https://api.example:6443"


def test_the_official_client_stays_cold(tmp_path: Path) -> None:
    """Nothing of the plain way imports the Kubernetes client."""
    path = write(tmp_path / "config", {"token": "secret"})
    program = (
        "import sys\n"
        "import quantized_model_operator.cluster.live\n"
        "import quantized_model_operator.cluster.lease\n"
        "import quantized_model_operator.cluster.janitor\n"
        "from quantized_model_operator.cluster.kubeconfig import from_kubeconfig\n"
        f"from_kubeconfig({path!r})\n"
        "sys.exit('kubernetes' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - our own text


@pytest.mark.parametrize("text", ["", "a: [", "current-context: nope", "[]"])
def test_a_broken_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    """A kubeconfig that cannot be used is an error that names the file."""
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConnectionConfigError, match=str(path)):
        from_kubeconfig(str(path))


async def test_in_a_pod(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    """The service account's files and the pod's environment give the connection."""
    (tmp_path / "token").write_text("pod-token")
    (tmp_path / "namespace").write_text("pond\n")
    (tmp_path / "ca.crt").write_bytes(certificate[0].read_bytes())
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    connection = in_cluster(environment, tmp_path)
    assert connection is not None
    assert connection.server == "https://[fd00::1]:6443"
    assert connection.default_namespace == "pond"
    assert await header_of(connection) == "Bearer pod-token"
    assert in_cluster({}, tmp_path) is None
    assert in_cluster(environment, tmp_path / "nowhere") is None


def test_the_order_of_places(tmp_path: Path) -> None:
    """KUBECONFIG wins over the home folder; with neither, the error says what to set."""
    home = tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    write(home / ".kube" / "config", {"token": "home"}, server="https://home.example")
    named = write(tmp_path / "named", {"token": "named"})
    both = {"KUBECONFIG": named, "HOME": str(home)}
    assert find_connection(both).server == "https://api.example:6443"
    assert find_connection({"HOME": str(home)}).server == "https://home.example"
    with pytest.raises(ConnectionConfigError, match="KUBECONFIG"):
        find_connection({"HOME": str(tmp_path)})
