"""Builds the bundle of `gpu-check`: everything that runs on a machine without Swift, in one compressed file.

The programs and the tests share the libraries of Swift in lib/. Linking them statically is no choice: Swift Testing
exists as a shared library only, and each static program would contain the same 40 MB of Unicode tables again. The
libraries of PyTorch are not packed; `gpu-check run` uses those of the machine.
"""
import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAME = "gpu-check"  # the folder in the bundle
MANIFEST = "manifest.json"
# A program of the build, and its name in the bundle.
PROGRAMS = {"calm": "calm", "calm-bench": "calm-bench", "calmPackageTests.xctest": "calm-tests"}
SCRIPTS = ["gpu-check", "gpu_bundle.py", "gpu_parts.py", "gpu_run.py", "time-official.py"]


class Failure(Exception):
    """An error message of one line: the fault and the remedy."""


def say(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def written(path):
    """A temporary path next to `path`, which is renamed to it when the block succeeds."""
    temporary = "{}.{}.tmp".format(path, os.getpid())
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if os.path.lexists(temporary):
            os.remove(temporary)


def write_json(path, value):
    with written(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def output(command, **options):
    """The standard output of a command; its errors appear on the terminal."""
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, universal_newlines=True, **options).stdout
    except FileNotFoundError:
        raise Failure("{} is not installed".format(command[0]))
    except subprocess.CalledProcessError as error:
        raise Failure("{} ended with status {}".format(" ".join(command[:3]), error.returncode))


def libtorch_version(folder):
    """MAJOR.MINOR.PATCH of a libtorch, from its headers."""
    numbers = {}
    for header in ("headeronly/version.h", "csrc/api/include/torch/version.h"):
        path = os.path.join(folder, "include", "torch", header)
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as file:
            for part, number in re.findall(r"#define TORCH_VERSION_(MAJOR|MINOR|PATCH) (\d+)", file.read()):
                numbers.setdefault(part, number)
    if len(numbers) != 3:
        raise Failure("{} contains no headers that name its version".format(folder))
    return ".".join(numbers[part] for part in ("MAJOR", "MINOR", "PATCH"))


def compiled(options):
    """Builds programs and tests, and returns their folder."""
    common = ["--package-path", ROOT]
    if options.scratch_path:
        common += ["--scratch-path", os.path.abspath(options.scratch_path)]
    if options.jobs:
        common += ["--jobs", str(options.jobs)]
    say("Building the programs and the tests …")
    output(["swift", "build", "-c", "release", "--build-tests"] + common)
    return output(["swift", "build", "-c", "release", "--show-bin-path"] + common).strip()


def swift_libraries(programs):
    """The paths of the shared libraries of Swift that programs need."""
    paths = json.loads(output(["swift", "-print-target-info"]))["paths"]["runtimeLibraryPaths"]
    folders = [os.path.realpath(path) for path in paths]
    found = {}
    for program in programs:
        environment = dict(os.environ, LD_LIBRARY_PATH=":".join(folders))
        listing = output(["ldd", program], env=environment)
        for name, path in re.findall(r"^\s*(\S+) => (/\S+)", listing, re.MULTILINE):
            if os.path.dirname(os.path.realpath(path)) in folders:
                found[name] = path
    return found


def copy_cases(sources, folder):
    """Copies recorded cases. Cases of the same name in several folders get different names."""
    for source in sources:
        cases = [name for name in sorted(os.listdir(source)) if os.path.exists(os.path.join(source, name, "meta.json"))]
        if not cases:
            raise Failure("{} contains no recorded cases: name a folder whose subfolders have a meta.json"
                          .format(source))
        for name in cases:
            target, number = os.path.join(folder, name), 2
            while os.path.exists(target):
                target = os.path.join(folder, "{}-{}".format(name, number))
                number += 1
            shutil.copytree(os.path.join(source, name), target)


def fill(folder, options, libtorch):
    """Writes everything into the bundle's folder."""
    products = compiled(options)
    programs = [os.path.join(products, name) for name in PROGRAMS]
    for part in ("bin", "lib", "scripts"):
        os.makedirs(os.path.join(folder, part))
    for name, shown in PROGRAMS.items():
        output(["strip", "-o", os.path.join(folder, "bin", shown), os.path.join(products, name)])
    for name, path in swift_libraries(programs).items():
        output(["strip", "--strip-unneeded", "-o", os.path.join(folder, "lib", name), path])
    for name in SCRIPTS:
        shutil.copy2(os.path.join(ROOT, "scripts", name), os.path.join(folder, "scripts", name))
    own = os.path.join(ROOT, "Tests", "CALMTests", "Fixtures")
    copy_cases([own] + options.fixtures, os.path.join(folder, "fixtures"))
    ignored = shutil.ignore_patterns("__pycache__", ".git", "*.pyc")
    if options.official:
        official = os.path.join(folder, "official")
        shutil.copytree(os.path.join(options.official, "models"), os.path.join(official, "models"), ignore=ignored)
        terms = os.path.join(options.official, "LICENSE")
        if os.path.exists(terms):
            shutil.copyfile(terms, os.path.join(official, "LICENSE"))
    if options.packages:
        shutil.copytree(options.packages, os.path.join(folder, "packages"), ignore=ignored)
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--abbrev=12"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True).stdout.strip()
    write_json(os.path.join(folder, MANIFEST), {
        "commit": commit or None,
        "libtorch": libtorch_version(libtorch),
        "machine": platform.machine(),
        "swift": output(["swift", "--version"], stderr=subprocess.DEVNULL).splitlines()[0],
    })


def check(options):
    """Refuses bad arguments before the build."""
    if not options.out.endswith(".tar.gz"):
        raise Failure("--out {} does not end in .tar.gz".format(options.out))
    if sys.platform != "linux":
        raise Failure("a bundle is built on Linux, for a machine with Linux")
    for option, path in [("--fixtures", path) for path in options.fixtures] + [("--packages", options.packages)]:
        if path and not os.path.isdir(path):
            raise Failure("{} {} is not a folder".format(option, path))
    if options.official and not os.path.exists(os.path.join(options.official, "models", "modeling_energy.py")):
        raise Failure("--official {} contains no models/modeling_energy.py".format(options.official))


def build(options):
    check(options)
    libtorch = output([os.path.join(ROOT, "scripts", "set-up-libtorch"), "--print"]).strip()
    out = os.path.abspath(options.out)
    with tempfile.TemporaryDirectory(prefix="." + NAME + ".", dir=os.path.dirname(out)) as temporary:
        folder = os.path.join(temporary, NAME)
        os.mkdir(folder)
        fill(folder, options, libtorch)
        say("Packing …")
        with written(out) as path, tarfile.open(path, "w:gz", compresslevel=6) as archive:
            archive.add(folder, arcname=NAME)
    say("{}: {:.1f} MB, for PyTorch {}".format(options.out, os.path.getsize(out) / 1e6, libtorch_version(libtorch)))
