"""What the demo shows at its end: the plan, the conditions, the answer, and what to try next."""

import sys

import yaml

from qmo_demo.installation import MODEL, NAMESPACE
from qmo_demo.kubernetes import Document, Kubernetes
from qmo_demo.supplies import REPOSITORY, TinyModel


def tell(
    kubernetes: Kubernetes, ready: Document, model: TinyModel, answers: tuple[str, ...]
) -> None:
    """Print all of it."""
    status = ready["status"]
    columns = kubernetes.kubectl("get", "quantizedmodels", f"--namespace={NAMESPACE}")
    conditions = "\n".join(
        f"  {item['type']:13} {item['status']:8} {item['reason']:20} {item['message']}"
        for item in status["conditions"]
    )
    plan = yaml.safe_dump(status["plan"], sort_keys=False, default_flow_style=False, indent=2)
    sections = (
        ("$ kubectl get quantizedmodels", columns.rstrip()),
        ("Plan, made before anything was started", _indented(plan.rstrip())),
        ("Conditions", conditions),
        ("Question", f"  {model.question}"),
        ("Answer through curl", f"  {answers[0]}"),
        ("Answer through the openai client", f"  {answers[1]}"),
        ("Go on by hand", _next_steps(kubernetes, model)),
    )
    for title, text in sections:
        sys.stdout.write(f"\n{title}\n{text}\n")
    sys.stdout.write("\n")
    sys.stdout.flush()


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _next_steps(kubernetes: Kubernetes, model: TinyModel) -> str:
    own = bool(kubernetes.kubeconfig)
    setup = f"  export KUBECONFIG={kubernetes.kubeconfig}\n" if own else ""
    kubectl = kubernetes.kubectl_program
    return f"""{setup}  alias kubectl={kubectl} qm={REPOSITORY}/.venv/bin/qm
  qm explain {MODEL} --namespace {NAMESPACE}
  qm plan {model.folder} --all-gpus
  kubectl --namespace {NAMESPACE} describe quantizedmodel {MODEL}
  kubectl explain quantizedmodel.spec.engine
  kubectl --namespace {NAMESPACE} scale quantizedmodel {MODEL} --replicas=2
  kubectl --namespace {NAMESPACE} port-forward service/{MODEL} 8000:80 &
  curl http://127.0.0.1:8000/v1/models
  kubectl --namespace {NAMESPACE} delete quantizedmodel {MODEL}
  make demo-down{"" if own else " CLUSTER=current"}"""
