"""Writes small wheels with every required library for test-set-up-libtorch:  make-wheels.py FOLDER loads|CONTENT

The libraries must load, so with `loads` each is a copy of a library that Python has loaded.
"""

import _ctypes, os, sys, zipfile
folder, content = sys.argv[1], sys.argv[2]
library = open(_ctypes.__file__, "rb").read() if content == "loads" else b"not a library"
names = ["libc10", "libtorch_cpu", "libarm_compute", "libarm_compute_graph", "libtorch_python", "libtorch_cuda"]
names = [name + suffix for name in names for suffix in (".so", ".dylib")] + ["libgomp.so.1", "libomp.dylib"]
names += ["libgfortran.so.5"] + ["libnvpl_" + name + ".so.0" for name in
                                 ("blas_core", "blas_lp64_gomp", "lapack_core", "lapack_lp64_gomp")]
for version in ("2.13.0+cpu", "2.13.0"):
    for tag in ("manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "macosx_14_0_arm64"):
        name = "torch-{}-cp311-cp311-{}.whl".format(version, tag)
        with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
            for name in names:
                wheel.writestr("torch/lib/" + name, library)
            wheel.writestr("torch/include/torch/headeronly/version.h", "#define TORCH_VERSION_MAJOR 2\n")
            wheel.writestr("torch/__init__.py", "")
            wheel.writestr("torch-{}.dist-info/METADATA".format(version),
                           "Metadata-Version: 2.1\nName: torch\nVersion: {}\n".format(version))
            wheel.writestr("torch-{}.dist-info/WHEEL".format(version), "Wheel-Version: 1.0\n")
for name, library_name in (("nvidia_cuda_runtime", "libcudart.so.13"), ("nvidia_cuda_cupti", "libcupti.so.13")):
    with zipfile.ZipFile(os.path.join(folder, name + ".whl"), "w") as wheel:
        wheel.writestr("nvidia/cu13/lib/" + library_name, library)
