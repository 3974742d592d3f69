"""Runs the parts of `gpu-check` on the machine of the check, and writes the results after each part."""
import contextlib
import datetime
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import gpu_parts
from gpu_bundle import MANIFEST, Failure, write_json

RESULT = "result.json"
SHORTEST = 5  # seconds that a part needs at least to be worth starting

INSPECTION = """
import json, os, torch
cuda = torch.cuda.is_available()
cards = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())] if cuda else []
try:
    from transformers import __version__ as transformers
except Exception as error:
    transformers = None
print(json.dumps(dict(
    version=torch.__version__, folder=os.path.dirname(torch.__file__), cuda=torch.version.cuda,
    transformers=transformers, cards=[dict(name=card.name, memory=card.total_memory) for card in cards])))
"""


def run(options):
    """Runs the parts; returns whether none failed."""
    started = time.monotonic()
    bundle = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    manifest = read_manifest(bundle)
    if not re.fullmatch(r"cpu|cuda(:\d+)?", options.device):
        raise Failure("unknown device '{}': use cuda, cuda:N or cpu".format(options.device))
    if not options.minutes > 0:
        raise Failure("--minutes {} is not above 0".format(options.minutes))
    variables = dict(os.environ)
    if os.path.isdir(os.path.join(bundle, "packages")):
        variables["PYTHONPATH"] = joined(os.path.join(bundle, "packages"), variables.get("PYTHONPATH"))
    torch = inspect(variables)
    check_torch(torch, manifest, options.device)
    # The program loads libtorch_cuda by its name, which the loader looks for in these folders.
    variables["LD_LIBRARY_PATH"] = joined(
        os.path.join(bundle, "lib"), os.path.join(torch["folder"], "lib"), variables.get("LD_LIBRARY_PATH"))
    os.makedirs(options.out, exist_ok=True)
    out = os.path.abspath(options.out)
    work = tempfile.mkdtemp(prefix="gpu-check-")
    try:
        variables.update(
            NO_COLOR="1", TORCHINDUCTOR_CACHE_DIR=os.path.join(work, "inductor"),
            TRITON_CACHE_DIR=os.path.join(work, "triton"))
        machine = describe(options, bundle, out, work, torch)
        result = {
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "device": options.device, "bundle": manifest, "torch": torch, "python": platform.python_version(),
            "parts": [], "rows": [],
        }
        rows = os.path.join(out, gpu_parts.ROWS)
        if os.path.exists(rows):
            os.remove(rows)  # of an earlier run
        deadline = started + 60 * options.minutes
        for part in gpu_parts.parts(machine):
            if options.parts and part.name not in options.parts:
                continue
            entry = run_part(part, machine, variables, deadline)
            new = add_rows(result, rows, torch, machine)
            if new and not entry["summary"]:
                entry["summary"] = "; ".join(new)
            result["parts"].append(entry)
            write_json(os.path.join(out, RESULT), result)
            print("{name:17} {state:8} {seconds:4.0f} s  {summary}".format(**entry), flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    states = [entry["state"] for entry in result["parts"]]
    failed = states.count("failed")
    print("{} passed, {} failed, {} skipped in {:.0f} s: {}".format(
        states.count("passed"), failed, states.count("skipped"), time.monotonic() - started,
        os.path.join(options.out, RESULT)))
    return failed == 0


def joined(*paths):
    return ":".join(path for path in paths if path)


def read_manifest(bundle):
    try:
        with open(os.path.join(bundle, MANIFEST), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        raise Failure("{} is no bundle: unpack the file that 'gpu-check build' wrote, and run its scripts/gpu-check"
                      .format(bundle))


def inspect(variables):
    """The PyTorch of this Python, and its cards."""
    try:
        done = subprocess.run([sys.executable, "-c", INSPECTION], env=variables, timeout=120, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True)
    except subprocess.TimeoutExpired:
        raise Failure("importing torch took more than two minutes")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Failure("{} cannot use torch ({}): run gpu-check with the Python that has PyTorch"
                      .format(sys.executable, last))
    return json.loads(done.stdout.strip().splitlines()[-1])


def check_torch(torch, manifest, device):
    found = re.match(r"\d+\.\d+\.\d+", torch["version"])
    if not found or found.group() != manifest["libtorch"]:
        raise Failure("this machine has torch {}, but the bundle is for {}: build it with LIBTORCH set to that version"
                      .format(torch["version"], manifest["libtorch"]))
    if platform.machine() != manifest["machine"]:
        raise Failure("this machine is {}, but the bundle is for {}".format(platform.machine(), manifest["machine"]))
    if device != "cpu" and not torch["cards"]:
        raise Failure("torch {} finds no GPU here: use --device cpu to try the script".format(torch["version"]))


def describe(options, bundle, out, work, torch):
    kind = options.device.split(":")[0]
    official, obstacle = options.official, None
    if not official and os.path.isdir(os.path.join(bundle, "official")):
        official = os.path.join(bundle, "official")
    if not official:
        obstacle = "no official code: set --official"
    elif not os.path.exists(os.path.join(official, "models", "modeling_energy.py")):
        raise Failure("--official {} contains no models/modeling_energy.py".format(official))
    elif not torch["transformers"]:
        obstacle = "the official code needs transformers 4.46, which this Python cannot import"
    cards = torch["cards"] if kind == "cuda" else []
    memory = min((card["memory"] for card in cards), default=0)
    return gpu_parts.Machine(options.device, kind, len(cards), memory, bundle, out, work,
                             official and os.path.abspath(official), obstacle, sys.executable)


def run_part(part, machine, variables, deadline):
    """Runs a part, and returns its entry of the result."""
    began = time.monotonic()
    limit = min(part.limit, deadline - began)

    def entry(state, summary):
        return {"name": part.name, "state": state, "seconds": round(time.monotonic() - began, 1), "limit": part.limit,
                "summary": summary}

    if part.obstacle:
        return entry("skipped", part.obstacle)
    if limit < SHORTEST:
        return entry("skipped", "no time left")
    path = os.path.join(machine.out, part.name + ".txt")
    failure = None
    with open(path, "w", encoding="utf-8") as log:
        for command in part.commands:
            start = log.tell()
            status = execute(command, dict(variables, **part.variables), log, machine.work, began + limit)
            if status != 0 and not failure:
                failure = (status, start)
            if status is None:
                break
    with open(path, encoding="utf-8", errors="replace") as file:
        output = file.read()
    if failure and failure[0] is None:
        return entry("failed", "exceeded {:.0f} s".format(limit))
    if failure:
        return entry("failed", "{} (status {})".format(gpu_parts.reason(output), failure[0]))
    try:
        return entry("passed", part.judge(output))
    except gpu_parts.Failed as failed:
        return entry("failed", str(failed))
    except (ValueError, KeyError, OSError) as error:
        return entry("failed", "unexpected output: {}".format(error))


def execute(command, variables, log, folder, deadline):
    """Runs a command with its output in `log`; returns its status, or None if it exceeded its time and was ended."""
    log.write("$ {}\n".format(" ".join(command)))
    log.flush()
    process = subprocess.Popen(command, env=variables, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        return process.wait(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None
    finally:
        # A program that is ended leaves the processes that it started, which would disturb the next part. Each has a
        # group of its own, but all are in the session of the command.
        for number in session(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.wait()
        log.seek(0, os.SEEK_END)


def session(leader):
    """The processes of a session."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open("/proc/{}/stat".format(name)) as file:
            # The name of the program, in parentheses, can contain spaces.
            if int(file.read().rpartition(")")[2].split()[3]) == leader:
                found.append(int(name))
    return found


def add_rows(result, path, torch, machine):
    """Takes over the rows that calm-bench has written, and returns a description of each new one."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        rows = json.load(file)["rows"]
    if machine.kind == "cuda":
        for row in rows:  # calm-bench knows the processor only
            row.update(processor=torch["cards"][0]["name"], instructions="CUDA {}".format(torch["cuda"]))
    new = [row for row in rows if row not in result["rows"]]
    result["rows"] = rows
    return [line(row) for row in new]


def line(row):
    """A row of calm-bench: speed, share of the rate of matrix products, memory, and the official speed."""
    ours = row["ours"][0]
    text = "{} {}: {:,.0f} tokens/s".format(row["job"], row["shape"], ours["tokens_per_second"])
    if row.get("rates") and ours.get("operations"):
        share = ours["operations"] / ours["seconds_median"] / (row["rates"]["gigaflops_per_second"] * 1e9)
        text += ", {:.1f} % of the matrix rate".format(100 * share)
    text += ", {:,.0f} MiB".format(ours.get("peak_device_mib", ours["peak_mib"]))
    if row["official"]:
        text += ", official {:,.0f}".format(row["official"][0]["tokens_per_second"])
        text += " compiled" if row["is_compiled"] else ""
    return text
