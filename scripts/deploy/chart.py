"""Renders and checks the Helm chart with Helm's own engine, for tests and for the plain manifests.

Reads a JSON list of requests from standard input, writes the list of their answers to standard
output. One program for many, since loading the engine takes longer than what it is asked:

  {"ask": "lint"}                       -> messages of severity and text
  {"ask": "render", "values": {...}}    -> text by template, and the objects in it; or the refusal
  {"ask": "install", "values": {...}, "kubeconfig": {...}}  -> the same as the cluster would get it
  {"ask": "plain", "values": {...}}     -> the manifests as one text, in the order to apply them
  {"ask": "validate", "objects": [...], "versions": ["1.31"]}  -> what those API servers would refuse
  {"ask": "yaml", "text": "..."}        -> the documents of a YAML text
"""

import json
import re
import sys
from pathlib import Path

import kubernetes_validate
import yaml
from helm_python import Chart, Config, HelmError, _native, lint

CHART = Path(__file__).resolve().parents[2] / "deploy/helm/weir"
RELEASE = {"name": "weir", "namespace": "weir"}

# Labels that would be wrong on what Helm did not install.
OF_HELM = re.compile(r"^\s*(app\.kubernetes\.io/managed-by|helm\.sh/chart):")

# In which objects need one another.
KINDS = [
    "Namespace",
    "ServiceAccount",
    "Secret",
    "ClusterRole",
    "ClusterRoleBinding",
    "NetworkPolicy",
    "Service",
    "StatefulSet",
    "DaemonSet",
    "Deployment",
    "Ingress",
]


def render(request):
    """Text of each template. The engine takes options that the package does not name."""
    options = dict(RELEASE, **request.get("options", {}))
    with Chart.load(CHART) as chart:
        values = json.dumps(request.get("values", {}))
        text = _native.call_string("helm_render", chart._raw(), values, json.dumps(options))
    return json.loads(text)


def install(request):
    """Manifest of an installation that asks the cluster what is there and changes nothing in it."""
    # API servers validate by a description of all kinds, which a double need not have.
    options = {"namespace": RELEASE["namespace"], "dry_run": "server"}
    options["disable_openapi_validation"] = True
    access = {
        "kubeconfig_content": json.dumps(request["kubeconfig"]),
        "namespace": RELEASE["namespace"],
        "storage_driver": "memory",
    }
    with Config(**access) as config, Chart.load(CHART) as chart:
        text = _native.call_string(
            "helm_install",
            config._raw(),
            _native.HANDLE(0),
            chart._raw(),
            None,
            RELEASE["name"],
            json.dumps(request.get("values", {})),
            json.dumps(options),
        )
    return json.loads(text)["manifest"]


def documents(texts):
    """The YAML documents of the templates, as text and as object."""
    for name, text in texts.items():
        if not name.endswith(".yaml"):
            continue
        for part in text.split("\n---\n"):
            part = part.strip("\n")
            found = yaml.safe_load(part)
            if found:
                yield part, found


def answer(request):
    ask = request["ask"]
    if ask == "lint":
        report = lint(CHART, strict=True)
        return {"messages": report["messages"], "errors": report["errors"]}
    if ask == "render":
        try:
            texts = render(request)
        except HelmError as err:
            return {"refused": str(err)}
        return {"texts": texts, "objects": [found for _, found in documents(texts)]}
    if ask == "install":
        try:
            texts = {"manifest.yaml": install(request)}
        except HelmError as err:
            return {"refused": str(err)}
        return {"texts": texts, "objects": [found for _, found in documents(texts)]}
    if ask == "plain":
        parts = sorted(documents(render(request)), key=lambda part: KINDS.index(part[1]["kind"]))
        text = "\n---\n".join(text for text, _ in parts) + "\n"
        return {"text": "".join(line for line in text.splitlines(True) if not OF_HELM.search(line))}
    if ask == "validate":
        return {"problems": list(problems(request["objects"], request["versions"]))}
    if ask == "yaml":
        return {"documents": list(yaml.safe_load_all(request["text"]))}
    raise ValueError(f"{ask}: expected lint, render, install, plain, validate or yaml")


def problems(objects, versions):
    for version in versions:
        for found in objects:
            try:
                kubernetes_validate.validate(found, version, strict=True)
            except (
                kubernetes_validate.ValidationError,
                kubernetes_validate.SchemaNotFoundError,
                kubernetes_validate.InvalidSchemaError,
            ) as err:
                yield f"{version}: {found['kind']} {found['metadata']['name']}: {err}"


json.dump([answer(request) for request in json.load(sys.stdin)], sys.stdout)
