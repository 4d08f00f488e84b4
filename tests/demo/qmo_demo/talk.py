"""Asking a model, as its users do: with curl and with the openai client, through kubectl."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import openai

from qmo_cluster.commands import run
from qmo_cluster.errors import fail
from qmo_demo.kubernetes import Kubernetes

_MOST_TOKENS = 96


@contextmanager
def forwarded(kubernetes: Kubernetes, namespace: str, service: str) -> Iterator[str]:
    """The base URL of a Service on this machine, for as long as the context lasts."""
    process = subprocess.Popen(  # noqa: S603 - a fixed program, no shell
        [
            kubernetes.kubectl_program,
            "port-forward",
            f"--namespace={namespace}",
            f"service/{service}",
            ":80",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(kubernetes.environment),
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        port = re.search(r"127\.0\.0\.1:(\d+)", line)
        if port is None:
            fail(f"kubectl port-forward does not work: {line.strip()}")
        yield f"http://127.0.0.1:{port[1]}/v1"
    finally:
        process.terminate()
        process.wait()


def ask_with_curl(url: str, model: str, question: str) -> str:
    """The answer of the model, and nothing else."""
    curl = shutil.which("curl")
    if curl is None:
        fail("curl is not installed; `apt-get install curl` brings it.")
    body = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": _MOST_TOKENS,
    }
    done = run(
        [
            curl,
            "--silent",
            "--show-error",
            "--fail-with-body",
            "--noproxy",
            "*",
            f"{url}/chat/completions",
            "--header",
            "Content-Type: application/json",
            "--data",
            json.dumps(body),
        ]
    )
    return str(json.loads(done.stdout)["choices"][0]["message"]["content"]).strip()


def ask_with_openai(url: str, model: str, question: str) -> str:
    """The same through the official client."""
    os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")
    with openai.OpenAI(base_url=url, api_key="EMPTY", max_retries=0) as client:
        answer = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": question}],
            temperature=0,
            max_tokens=_MOST_TOKENS,
        )
    return (answer.choices[0].message.content or "").strip()
