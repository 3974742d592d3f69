"""The builds of libtorch for each platform, and the PyTorch wheels that contain them."""

from collections import namedtuple

# A wheel: pip's requirement, the hash and size of the file, and the libraries to unpack.
Wheel = namedtuple("Wheel", "requirement sha256 megabytes libraries")
# A build of libtorch: its name and its wheels, of which the first is the PyTorch wheel.
Build = namedtuple("Build", "name wheels")

PYTHON_VERSION = "3.11"
# Without libtorch.so, which is empty and in the general build depends on libtorch_cuda.so.
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
        # libtorch_cpu is linked with two CUDA libraries here, which must be present on every machine.
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

# The platform tags of these wheels. pip compares tags literally.
TAGS = {
    "linux-x86_64": ["manylinux_2_28_x86_64", "manylinux_2_25_x86_64", "manylinux2014_x86_64"],
    "linux-aarch64": ["manylinux_2_28_aarch64", "manylinux_2_25_aarch64", "manylinux2014_aarch64"],
    "macos-arm64": ["macosx_14_0_arm64"],
}
