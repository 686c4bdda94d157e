"""Kernels and boot images: Debian's packages in, a kernel file and an initramfs out.

Owns the cache of unpacked kernels. Uses only the apt sources that this machine is configured with.
"""

import gzip
import lzma
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

# Modules that the guest loads, by the path below kernel/ of a module tree.
MODULES = ["drivers/net/dummy", "drivers/net/veth"]


class Missing(Exception):
    """The machine lacks something; the message says what."""


def run(argv, **kw):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **kw).stdout


def newest_package(series):
    """Name of the newest cloud kernel package of a series such as 6.1."""
    pattern = rf"^linux-image-{re.escape(series)}\..*-cloud-amd64$"
    lines = run(["apt-cache", "search", "--names-only", pattern]).splitlines()
    names = [line.split()[0] for line in lines]
    if not names:
        raise Missing(f"the configured apt sources have no package {pattern}")
    return max(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])


def kernel(series, cache):
    """Folder with `vmlinuz` and the modules of the newest kernel of a series, fetched once."""
    package = newest_package(series)
    folder = cache / package
    if (folder / "vmlinuz").exists():
        return folder
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        scratch = pathlib.Path(scratch)
        try:
            run(["apt-get", "download", package], cwd=scratch)
        except subprocess.CalledProcessError as error:
            reason = error.stderr.strip().splitlines()[-1]
            raise Missing(f"cannot download {package}: {reason}") from error
        run(["dpkg", "-x", next(scratch.glob("*.deb")), scratch / "tree"])
        kept = scratch / "kept"
        kept.mkdir()
        shutil.copy(next((scratch / "tree/boot").glob("vmlinuz-*")), kept / "vmlinuz")
        for module in MODULES:
            keep_module(scratch / "tree", module, kept)
        kept.rename(folder)
    return folder


def keep_module(tree, module, kept):
    """Copies one module, unpacked: the guest's busybox reads no compressed ones."""
    source = next(tree.glob(f"lib/modules/*/kernel/{module}.ko*"), None)
    if source is None:
        raise Missing(f"the kernel package has no module {module}")
    data = source.read_bytes()
    if source.suffix == ".xz":
        data = lzma.decompress(data)
    (kept / f"{pathlib.Path(module).name}.ko").write_bytes(data)


def libraries(program):
    """Shared libraries of a program, its loader included."""
    listed = run(["ldd", str(program)])
    return sorted(set(re.findall(r"(/\S+) \(0x", listed)))


def initramfs(kernel_folder, programs, init, out):
    """Packs busybox, the programs with their libraries, the modules and the init script."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise Missing("busybox is not installed (package busybox-static)")
    with tempfile.TemporaryDirectory() as root:
        root = pathlib.Path(root)
        for folder in ["bin", "proc", "sys", "dev", "data", "modules", "tmp"]:
            (root / folder).mkdir()
        shutil.copy(busybox, root / "bin/busybox")
        shutil.copy(init, root / "init")
        os.chmod(root / "init", 0o755)
        for program in programs:
            # Debug information would be most of the image.
            run(["strip", "-o", str(root / "bin" / program.name), str(program)])
            for library in libraries(program):
                target = root / library.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, target)
        for module in kernel_folder.glob("*.ko"):
            shutil.copy(module, root / "modules")
        names = "\0".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
        packed = subprocess.run(
            ["cpio", "--null", "--create", "--format=newc", "--quiet"],
            cwd=root, input=names.encode(), check=True, capture_output=True).stdout
    out.write_bytes(gzip.compress(packed, compresslevel=1))
