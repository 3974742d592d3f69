"""Downloads the PyTorch wheel and unpacks the libraries and headers that a C++ program needs.

Called by set-up-libtorch:  fetch-libtorch.py VERSION PLATFORM FOLDER [--print]

pip downloads the wheels from its configured indexes and proxies, and checks each file against the sha256 in
libtorch_builds.py. The files are unpacked in a temporary folder next to FOLDER, which is renamed to FOLDER when it is
complete. Any Python from 3.6 works: the wheels are for one fixed Python version, and their Python files are not used.
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

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # absent with PYTHONSAFEPATH
from libtorch_builds import BUILDS, PYTHON_VERSION, TAGS

UNPACKED_MEGABYTES = 560
OLDEST_PIP = [20, 3]  # the first version that accepts several --platform options
SIGNALS = [signal.SIGHUP, signal.SIGINT, signal.SIGTERM]
NETWORK = re.compile("connection|timed? ?out|name resolution|name or service|proxy|ssl|unreachable", re.IGNORECASE)
PIP_TOO_OLD = "pip is too old to download libtorch: run 'python3 -m pip install --upgrade pip', or set LIBTORCH."


class Failure(Exception):
    """An error message of one line: the fault and the remedy."""


class NotOffered(Exception):
    """pip's indexes have no wheel of this version for this platform."""


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
    """Waits for pip, shows the progress on a terminal, and returns pip's output."""
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
    """Downloads the wheels of a build with pip, and returns their folder."""
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
    # The user's constraints on installed packages do not apply to these files.
    settings = dict(os.environ, TMPDIR=work, PIP_CONSTRAINT="", PIP_REQUIRE_VIRTUALENV="0", LC_ALL="C")
    process = subprocess.Popen(command, cwd=work, env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, universal_newlines=True, errors="replace")
    output = wait_for(process, temporary, sum(wheel.megabytes for wheel in build.wheels))
    if process.returncode:
        raise explanation(output, process.returncode)
    shutil.rmtree(work, ignore_errors=True)
    return wheels


def explanation(output, status):
    """The error for pip's output and exit status."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["pip exited with status %d" % status]
    if "no such option" in output:
        return Failure(PIP_TOO_OLD)
    if "DO NOT MATCH THE HASHES" in output:
        return Failure("the wheel that pip downloaded has the wrong sha256 and was not used: "
                       "check the indexes and mirrors in 'pip config list', or set LIBTORCH to an installed PyTorch.")
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return OSError(errno.ENOSPC, "No space left on device")
    unreachable = NETWORK.search(output)
    if "No matching distribution" in output and not (unreachable and "(from versions: none)" in output):
        return NotOffered()
    if unreachable:
        return Failure("pip could not reach its package index to download libtorch: check the network and "
                       "'pip config list', or set LIBTORCH to an installed PyTorch.")
    return Failure("pip could not download libtorch: " + re.sub("^ERROR: ", "", errors[-1]))


def unpack(build, wheels, temporary):
    """Unpacks the headers and libraries of a build from its wheels, and returns the folder with include/ and lib/."""
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
        raise Failure("the wheel does not contain {}: report this as a bug, or set LIBTORCH to an installed PyTorch.".format(
            ", ".join(sorted(wanted)) or "include/torch"))
    return folder


def check_loads(folder, platform):
    """Loads the libraries once, so that an incompatible system fails now and not during a build."""
    if host.machine().replace("arm64", "aarch64") != platform.split("-")[1].replace("arm64", "aarch64"):
        return  # the interpreter is for another processor, for example on a Mac with Rosetta
    suffix = "dylib" if platform.startswith("macos") else "so"
    library = os.path.join(folder, "lib", "libtorch_cpu." + suffix)
    result = subprocess.run([sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1])", library],
                            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if result.returncode and "OSError" in result.stdout:
        reason = result.stdout.strip().splitlines()[-1].replace("OSError: ", "").replace(folder + "/", "")
        raise Failure("libtorch does not load on this system (%s): set LIBTORCH to the 'torch' folder of a PyTorch that does." % reason)


@contextlib.contextmanager
def only_one(cache):
    """Waits until no other set-up runs. The lock ends with its process."""
    with open(os.path.join(cache, ".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise Failure("cannot lock {} ({}): set CALM_CACHE to a folder on another disk."
                              .format(cache, error.strerror))
            say("Waiting for another set-up of libtorch …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(version, platform, folder):
    started = time.monotonic()
    cache, name = os.path.split(folder)
    os.makedirs(cache, exist_ok=True)
    with only_one(cache):
        if os.path.exists(os.path.join(folder, ".complete")):
            return
        # While this process holds the lock, files without a stamp are left over from a set-up that died.
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
    say("Installed libtorch {} in {} ({:.0f} s).".format(version, folder, time.monotonic() - started))


def fetch_and_unpack(version, platform, cache, temporary):
    """Downloads and unpacks the first build that pip's indexes have, and returns it."""
    note = ""
    for build in BUILDS[platform]:
        megabytes = sum(wheel.megabytes for wheel in build.wheels)
        # pip temporarily keeps a second copy.
        needed = megabytes + max(megabytes, UNPACKED_MEGABYTES)
        free = shutil.disk_usage(cache).free // 1000000
        if free < needed:
            raise Failure("{} has {} MB of free space, but libtorch needs {} MB: free some space, or set CALM_CACHE to a "
                          "folder on another disk.".format(cache, free, needed))
        say("Downloading libtorch {} ({}, {} MB{}) …".format(version, build.name, megabytes, note))
        try:
            wheels = fetch(build, platform, temporary)
        except NotOffered:
            shutil.rmtree(os.path.join(temporary, "pip"), ignore_errors=True)
            note = "; pip's indexes have no " + build.name
            continue
        unpack(build, wheels, temporary)
        return build
    raise Failure("pip's package indexes do not have torch {}: check 'pip config list', or set LIBTORCH to an "
                  "installed PyTorch.".format(version))


def check_pip():
    if importlib.util.find_spec("pip") is None:
        raise Failure("{} has no pip, which is required to download libtorch: run 'python3 -m ensurepip' or "
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
            sys.exit("set-up-libtorch: the disk of {} is full: free some space, or set CALM_CACHE to a folder on "
                     "another disk.".format(os.path.dirname(folder)))
        sys.exit("set-up-libtorch: {}: {}: set CALM_CACHE to a writable folder."
                 .format(error.filename or os.path.dirname(folder), error.strerror))
    # libtorch is complete. The script does the rest.
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "set-up-libtorch")
    os.execv(script, [script] + sys.argv[4:])


main()
