"""Fetches libtorch out of the PyTorch wheel and unpacks what a C++ program needs of it.

Called by set-up-libtorch:  fetch-libtorch.py VERSION PLATFORM FOLDER [--print]

pip does the fetching, with the sources and proxies it is configured with, and checks each file against the sha256
given here. Everything happens in a temporary folder beside FOLDER, which is renamed to FOLDER when it is whole. Runs
on any Python from 3.6 on: the wheels are those of one fixed Python version, and nothing of Python's in them is used.
"""

import contextlib
import errno
import fcntl
import importlib.util
import os
import platform as host
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import namedtuple

# A wheel: what pip is asked for, the hash and size of the answer, and the libraries to take out of it.
Wheel = namedtuple("Wheel", "requirement sha256 megabytes libraries")
# A build of libtorch: its name, and the wheels that make it up. The first is the PyTorch wheel.
Build = namedtuple("Build", "name wheels")

PYTHON_VERSION = "3.11"
# Not libtorch.so: it holds nothing, and that of the general build drags in libtorch_cuda.so.
COMMON = ["libc10.so", "libgomp.so.1", "libtorch_cpu.so"]
ARM = [
    "libarm_compute.so", "libarm_compute_graph.so", "libgfortran.so.5", "libnvpl_blas_core.so.0",
    "libnvpl_blas_lp64_gomp.so.0", "libnvpl_lapack_core.so.0", "libnvpl_lapack_lp64_gomp.so.0",
]
MAC = ["libc10.dylib", "libomp.dylib", "libtorch_cpu.dylib"]

# In order of preference. A version after `===` does not match local versions such as 2.13.0+cu130.
BUILDS = {
    "linux-x86_64": [
        Build("CPU build", [
            Wheel("torch==2.13.0+cpu", "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b", 192, COMMON),
        ]),
        # Its libtorch_cpu is linked with two CUDA libraries, which it wants to find on any machine.
        Build("general build", [
            Wheel("torch===2.13.0", "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7", 527, COMMON),
            Wheel("nvidia-cuda-runtime==13.0.96", "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548", 2,
                  ["libcudart.so.13"]),
            Wheel("nvidia-cuda-cupti==13.0.85", "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8", 11,
                  ["libcupti.so.13"]),
        ]),
    ],
    "linux-aarch64": [
        Build("general build", [
            Wheel("torch===2.13.0", "092790c696a760c729fd5722835f50b9d81fd7c8f141571f3f3cf4081a8f664c", 427,
                  COMMON + ARM),
            Wheel("nvidia-cuda-runtime==13.0.96", "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55", 2,
                  ["libcudart.so.13"]),
            Wheel("nvidia-cuda-cupti==13.0.85", "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151", 10,
                  ["libcupti.so.13"]),
        ]),
    ],
    "macos-arm64": [
        Build("Metal build", [
            Wheel("torch===2.13.0", "e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8", 111, MAC),
        ]),
    ],
}

# The platform tags of those wheels: pip takes the tags it is given literally.
TAGS = {
    "linux-x86_64": ["manylinux_2_28_x86_64", "manylinux_2_25_x86_64", "manylinux2014_x86_64"],
    "linux-aarch64": ["manylinux_2_28_aarch64", "manylinux_2_25_aarch64", "manylinux2014_aarch64"],
    "macos-arm64": ["macosx_14_0_arm64"],
}

UNPACKED_MEGABYTES = 560
OLDEST_PIP = [20, 3]  # the first that takes more than one --platform
SIGNALS = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]
NETWORK = re.compile("connection|timed? ?out|name resolution|name or service|proxy|ssl|unreachable", re.IGNORECASE)
PIP_TOO_OLD = "pip is too old to fetch libtorch: run 'python3 -m pip install --upgrade pip', or set LIBTORCH."


class Failure(Exception):
    """What went wrong and what to do about it, in one line."""


class NotOffered(Exception):
    """pip's sources were reached and do not offer a wheel of that version for this platform."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def folder_bytes(folder):
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.path.getsize(os.path.join(path, name))
    return total


def wait_for(process, watched, megabytes):
    """Waits for pip, showing on a terminal how much is there, and gives back what pip printed."""
    terminal = sys.stderr.isatty()
    try:
        while True:
            try:
                output, _ = process.communicate(timeout=0.5 if terminal else None)
                return output
            except subprocess.TimeoutExpired:
                fetched = min(folder_bytes(watched) // 1000000, megabytes)
                print("\r  {} of {} MB".format(fetched, megabytes), end="", file=sys.stderr, flush=True)
    finally:
        if terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        if process.poll() is None:
            process.kill()
            process.communicate()


def fetch(build, platform, temporary):
    """Has pip download the wheels of a build into a folder of their own, and returns that folder."""
    wheels = os.path.join(temporary, "wheels")
    work = os.path.join(temporary, "pip")
    os.mkdir(work)
    requirements = os.path.join(work, "requirements.txt")
    with open(requirements, "w") as file:
        file.writelines("{} --hash=sha256:{}\n".format(wheel.requirement, wheel.sha256) for wheel in build.wheels)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
               "--no-cache-dir", "--no-deps", "--only-binary=:all:", "--implementation=cp",
               "--python-version=" + PYTHON_VERSION, "--abi=cp" + PYTHON_VERSION.replace(".", ""),
               "--dest=" + wheels, "--requirement=" + requirements]
    command += ["--platform=" + tag for tag in TAGS[platform]]
    # The user's constraints and rules for installing packages do not concern these files.
    settings = dict(os.environ, TMPDIR=work, PIP_CONSTRAINT="", PIP_REQUIRE_VIRTUALENV="0", LC_ALL="C")
    process = subprocess.Popen(command, cwd=work, env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, universal_newlines=True, errors="replace")
    output = wait_for(process, temporary, sum(wheel.megabytes for wheel in build.wheels))
    if process.returncode:
        raise explanation(output, process.returncode)
    shutil.rmtree(work, ignore_errors=True)
    return wheels


def explanation(output, status):
    """The reason for which pip failed, found in what it printed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["pip ended with status %d" % status]
    if "no such option" in output:
        return Failure(PIP_TOO_OLD)
    if "DO NOT MATCH THE HASHES" in output:
        return Failure("the wheel that pip fetched is not the one known here (its sha256 differs) and was not used: "
                       "check the indexes and mirrors in 'pip config list', or set LIBTORCH to an installed PyTorch.")
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return OSError(errno.ENOSPC, "No space left on device")
    unreachable = NETWORK.search(output)
    if "No matching distribution" in output and not (unreachable and "(from versions: none)" in output):
        return NotOffered()
    if unreachable:
        return Failure("pip could not reach its package index to fetch libtorch: check the network and "
                       "'pip config list', or set LIBTORCH to an installed PyTorch.")
    return Failure("pip could not fetch libtorch: " + re.sub("^ERROR: ", "", errors[-1]))


def unpack(build, wheels, temporary):
    """Takes the headers and libraries of a build out of its wheels, and returns the folder with include/ and lib/."""
    folder = os.path.join(temporary, "libtorch")
    wanted = {name for wheel in build.wheels for name in wheel.libraries}
    for wheel in sorted(os.listdir(wheels)):
        with zipfile.ZipFile(os.path.join(wheels, wheel)) as archive:
            for member in archive.infolist():
                parent, name = os.path.split(member.filename)
                if not name:
                    continue
                if parent == "torch/include" or parent.startswith("torch/include/"):
                    target = os.path.join(folder, parent[len("torch/"):], name)
                elif parent in ("torch/lib", "nvidia/cu13/lib") and name in wanted:
                    target = os.path.join(folder, "lib", name)
                    wanted.remove(name)
                else:
                    continue
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with archive.open(member) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
    if wanted or not os.path.isdir(os.path.join(folder, "include", "torch")):
        raise Failure("the wheel does not hold {}: report this, or set LIBTORCH to an installed PyTorch.".format(
            ", ".join(sorted(wanted)) or "include/torch"))
    return folder


def check_loads(folder, platform):
    """Loads the libraries once, so that a system they cannot run on shows here and not in the middle of a build."""
    if host.machine().replace("arm64", "aarch64") != platform.split("-")[1].replace("arm64", "aarch64"):
        return  # an interpreter for another processor, as on a Mac with Rosetta
    suffix = "dylib" if platform.startswith("macos") else "so"
    library = os.path.join(folder, "lib", "libtorch_cpu." + suffix)
    result = subprocess.run([sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", library],
                            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if result.returncode and "OSError" in result.stdout:
        reason = result.stdout.strip().splitlines()[-1].replace("OSError: ", "").replace(folder + "/", "")
        raise Failure("libtorch does not load on this system (%s): set LIBTORCH to a PyTorch that does." % reason)


@contextlib.contextmanager
def only_one(cache):
    """Makes a second set-up wait for the first; a set-up that died holds nobody up."""
    with open(os.path.join(cache, ".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise Failure("{} cannot be locked ({}): set CALM_CACHE to a folder on another disk."
                              .format(cache, error.strerror))
            say("Waiting for another set-up of libtorch to end …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(version, platform, folder):
    started = time.monotonic()
    cache, name = os.path.split(folder)
    os.makedirs(cache, exist_ok=True)
    with only_one(cache):
        if os.path.exists(os.path.join(folder, ".complete")):
            return
        # With the lock held, whatever is there without a stamp was left by a set-up that died.
        for left_over in [entry for entry in os.listdir(cache) if entry.startswith("." + name + ".")] + [name]:
            shutil.rmtree(os.path.join(cache, left_over), ignore_errors=True)
        temporary = tempfile.mkdtemp(prefix="." + name + ".", dir=cache)
        try:
            build = fetch_and_unpack(version, platform, cache, temporary)
            unpacked = os.path.join(temporary, "libtorch")
            check_loads(unpacked, platform)
            os.sync()
            with open(os.path.join(unpacked, ".complete"), "w") as stamp:
                stamp.write("{} {} {}\n".format(version, platform, build.name))
            os.rename(unpacked, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    say("libtorch {} is in {} ({:.0f} s).".format(version, folder, time.monotonic() - started))


def fetch_and_unpack(version, platform, cache, temporary):
    """Takes the first build that pip's sources offer, and returns it."""
    note = ""
    for build in BUILDS[platform]:
        megabytes = sum(wheel.megabytes for wheel in build.wheels)
        # pip keeps a second copy for a moment.
        needed = megabytes + max(megabytes, UNPACKED_MEGABYTES)
        free = shutil.disk_usage(cache).free // 1000000
        if free < needed:
            raise Failure("{} has {} MB free and libtorch needs {} MB to set up: make room, or set CALM_CACHE to a "
                          "folder on another disk.".format(cache, free, needed))
        say("Fetching libtorch {} ({}, {} MB{}) …".format(version, build.name, megabytes, note))
        try:
            wheels = fetch(build, platform, temporary)
        except NotOffered:
            shutil.rmtree(os.path.join(temporary, "pip"), ignore_errors=True)
            note = "; pip's indexes have no " + build.name
            continue
        unpack(build, wheels, temporary)
        return build
    raise Failure("pip's package indexes do not offer torch {}: check 'pip config list', or set LIBTORCH to an "
                  "installed PyTorch.".format(version))


def check_pip():
    if importlib.util.find_spec("pip") is None:
        raise Failure("{} has no pip, which is needed to fetch libtorch: run 'python3 -m ensurepip' or "
                      "'apt-get install python3-pip', or set LIBTORCH.".format(sys.executable))
    import pip
    if [int(number) for number in re.findall("[0-9]+", pip.__version__)[:2]] < OLDEST_PIP:
        raise Failure(PIP_TOO_OLD)


def stop(number, _):
    for handled in SIGNALS:
        signal.signal(handled, signal.SIG_IGN)
    raise SystemExit(128 + number)


def main():
    version, platform, folder = sys.argv[1:4]
    for number in SIGNALS:
        signal.signal(number, stop)
    try:
        check_pip()
        set_up(version, platform, folder)
    except Failure as failure:
        sys.exit("set-up-libtorch: {}".format(failure))
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            sys.exit("set-up-libtorch: the disk that holds {} is full: make room, or set CALM_CACHE to a folder on "
                     "another disk.".format(os.path.dirname(folder)))
        sys.exit("set-up-libtorch: {}: {}: set CALM_CACHE to a folder that can be written."
                 .format(error.filename or os.path.dirname(folder), error.strerror))
    # The script finds libtorch complete now, and does the rest.
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "set-up-libtorch")
    os.execv(script, [script] + sys.argv[4:])


main()
