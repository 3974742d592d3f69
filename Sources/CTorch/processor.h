// The instructions that kernels may use.

#pragma once

namespace ctorch {

// Levels of x86 processors; each includes the previous ones. Other processors are at the baseline.
enum class CPULevel {
  baseline,
  avx2,    // x86-64-v3: AVX2 and FMA
  avx512,  // x86-64-v4: AVX-512 F, BW, CD, DQ and VL
  amx,     // tiles of bfloat16 and int8, and AVX-512 BF16
};

// The level of this machine, or the limit set by the environment if that is lower.
CPULevel cpu_level();

// Whether the processor has int8 vector products, which some processors at the level avx512 have.
bool has_vnni();

// Whether the processor has products of bfloat16 vectors, AVX-512 BF16.
bool has_bf16_vectors();

}  // namespace ctorch
