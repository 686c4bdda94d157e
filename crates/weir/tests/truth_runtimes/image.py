"""Writes an image of a shell, `sleep` and their libraries, in the format of `docker save`.

    image.py NAME FILE
"""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

name, file = sys.argv[1:]
PROGRAMS = ["/bin/bash", "/bin/sleep"]
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def libraries(program):
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [word for word in told.split() if word.startswith("/")]


paths = set(PROGRAMS).union(*map(libraries, PROGRAMS))
layer = io.BytesIO()
with tarfile.open(fileobj=layer, mode="w") as tar:
    for path in sorted(paths):
        tar.add(os.path.realpath(path), arcname=path.lstrip("/"))
layer = layer.getvalue()

config = {
    "architecture": ARCHITECTURES[os.uname().machine],
    "os": "linux",
    "config": {"Cmd": ["/bin/sleep", "infinity"]},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
}
manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
files = {
    "layer.tar": layer,
    "config.json": json.dumps(config).encode(),
    "manifest.json": json.dumps(manifest).encode(),
}
with tarfile.open(file, "w") as tar:
    for path, content in files.items():
        entry = tarfile.TarInfo(path)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
