"""The parts of `gpu-check run`: what each runs, how long it may take, and how its output is judged."""
import json
import os
import re
from collections import namedtuple


class Failed(Exception):
    """The reason, in one line, why the output of a part is not as expected."""


# A part: its name; its limit in seconds; its commands, which all run; additional environment variables; the reason not
# to run it, if any; and a function that judges the commands' output and returns a summary of one line.
Part = namedtuple("Part", "name limit commands variables obstacle judge")

# The machine of a run: the device's name, its kind (cuda or cpu), the number of cards and the bytes of one, the folders
# of bundle, results and temporary files, the official code or None, the reason why that cannot run or None, and Python.
Machine = namedtuple("Machine", "device kind cards memory bundle out work official official_obstacle python")

NAMES = [
    "doctor", "parity-float32", "parity-bfloat16", "gradients", "groups", "train", "generate", "train-official",
    "generate-official", "train-compiled", "train-float32", "demo", "processes",
]
ROWS = "rows.json"  # of calm-bench, in the folder of the results
# The suites whose operations have a fused form, with gradients.
FUSED = "Attention|BiasSiLU|EnergyScoreKernel|LayerNorm|LinearCrossEntropy|Linear|RMSNorm|Rotary|SwiGLU"
# The timed shapes, and sizes of the work. On a processor they only try the way.
SHAPES = {"cuda": ["small", "calm-m"], "cpu": ["small", "wide"]}
TINY = {"training": ["--batch-size", "1", "--sequence-length", "64", "--vocab-size", "512"],
        "generation": ["--prompt-tokens", "8", "--new-tokens", "8", "--vocab-size", "512"]}
CALM_M_SEQUENCE_BYTES = 16 << 30  # what a sequence of 8,192 tokens takes at most in training, in either program


def parts(machine):
    """All parts, the most important ones first: time may run out."""
    official = machine.official_obstacle
    list_ = [
        Part("doctor", 60, [program(machine, "calm", "doctor", "--json")], {}, None, lambda log: doctor(machine, log)),
        tests(machine, "parity-float32", 60, r"^CALMTests\.ParityTests/", CALM_TEST_PRECISION="float32"),
        tests(machine, "parity-bfloat16", 60, r"^CALMTests\.ParityTests/", CALM_TEST_PRECISION="bfloat16"),
        tests(machine, "gradients", 60, r"^TorchTests\.(" + FUSED + ")Tests/"),
        tests(machine, "groups", 60, r"^TorchTests\.ProcessGroupTests/"),
        bench("train", 90, training(machine, "bfloat16")),
        bench("generate", 90, [generation(machine)]),
        bench("train-official", 90, training(machine, "bfloat16", beside(machine)), official),
        bench("generate-official", 90, [generation(machine, beside(machine))], official),
        bench("train-compiled", 150, training(machine, "bfloat16", beside(machine) + ["--compile"]), official),
        bench("train-float32", 60, training(machine, "float32", [] if official else beside(machine))[:1]),
        Part("demo", 90, [demo(machine)], {}, None, lambda log: "trained, evaluated and generated"),
        Part("processes", 60, processes(machine), {}, one_card(machine), lambda log: same_losses(machine)),
    ]
    assert [part.name for part in list_] == NAMES
    slowness = 1 if machine.kind == "cuda" else 10
    return [part._replace(limit=slowness * part.limit) for part in list_]


def program(machine, name, *options):
    return [os.path.join(machine.bundle, "bin", name)] + list(options)


def work(machine, name):
    return os.path.join(machine.work, name)


def doctor(machine, log):
    report = json.loads(log[log.index("{"):])
    devices = {device["name"]: device for device in report["devices"]}
    device = devices[machine.kind]
    if not device["is_available"]:
        raise Failed(device.get("reason") or "{} is not available".format(machine.kind))
    return "libtorch {}, {} available".format(report["libtorch"]["version"], machine.kind)


def tests(machine, name, limit, pattern, **variables):
    variables.update(CALM_TEST_DEVICE=machine.device, CALM_FIXTURES=os.path.join(machine.bundle, "fixtures"))
    command = program(machine, "calm-tests", "--testing-library", "swift-testing", "--filter", pattern)
    return Part(name, limit, [command], variables, None, passed_tests)


def passed_tests(log):
    run = re.findall(r"Test run with (\d+) tests?.*", log)
    if not run or int(run[-1]) == 0:
        raise Failed("no test matched")
    compared = sum(int(number) for number in re.findall(r"recorded tensors (\d+) were compared", log))
    return "{} tests".format(run[-1]) + (", {} recorded tensors".format(compared) if compared else "")


def beside(machine):
    """The options of a comparison with the official code."""
    return ["--official", machine.official or "", "--python", machine.python]


def table(machine, jobs, shapes, precision, options):
    repetitions = ["--turns", "1", "--steps", "10" if machine.kind == "cuda" else "1"]
    return program(
        machine, "calm-bench", *jobs, "--shape", *shapes, "--precision", precision, "--device", machine.device,
        "--out", os.path.join(machine.out, ROWS), *repetitions, *options)


def training(machine, precision, options=()):
    """A training step of each shape: of CALM-M with as many sequences as fit, up to its four."""
    sizes = {shape: TINY["training"] if machine.kind == "cpu" else [] for shape in SHAPES[machine.kind]}
    if "calm-m" in sizes:
        sizes["calm-m"] = ["--batch-size", str(max(1, min(4, machine.memory // CALM_M_SEQUENCE_BYTES)))]
    return [table(machine, ["train-lm"], [shape], precision, [*size, *options]) for shape, size in sizes.items()]


def generation(machine, options=()):
    size = TINY["generation"] if machine.kind == "cpu" else []
    return table(machine, ["generate", "generate-half"], SHAPES[machine.kind], "bfloat16", [*size, *options])


def bench(name, limit, commands, obstacle=None):
    return Part(name, limit, commands, {}, obstacle, lambda log: None)  # gpu_run describes the rows


def demo(machine):
    return program(machine, "calm", "demo", "--quick", "--device", machine.device, "--out", work(machine, "demo"))


def processes(machine):
    """The same training by one process and by two."""
    common = [
        "train", "transformer", "--data", work(machine, "demo/data"), "--device", machine.kind, "--precision",
        "float32", "--steps", "20", "--batch-size", "4", "--sequence-length", "128", "--eval-interval", "0",
        "--log-interval", "1",
    ]
    return [program(machine, "calm", *common, "--out", work(machine, "one")),
            program(machine, "calm", *common, "--out", work(machine, "two"), "--processes", "2")]


def one_card(machine):
    return "needs two cards" if machine.kind == "cuda" and machine.cards < 2 else None


def same_losses(machine):
    """Compares the losses of the two trainings, which differ by rounding only."""
    def losses(name):
        with open(work(machine, name + "/metrics.jsonl"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        return [line["loss"] for line in lines if "loss" in line]

    one, two = losses("one"), losses("two")
    if not one or len(one) != len(two):
        raise Failed("one process logged {} losses, two processes {}".format(len(one), len(two)))
    worst = max(abs(a - b) / abs(a) for a, b in zip(one, two))
    if not worst < 1e-3:
        raise Failed("the losses of one and of two processes differ by {:.2g}".format(worst))
    return "{} losses of one and of two processes agree within {:.1g}".format(len(one), worst)


def reason(log):
    """The line of a failed part's output that says why."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for pattern in (r"^✘ .*recorded an issue", r"Fatal error|^Error:|error while loading"):
        for line in lines:
            if re.search(pattern, line):
                return line
    return lines[-1] if lines else "no output"
