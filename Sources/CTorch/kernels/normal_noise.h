// A counter-based generator of normal random numbers: the n-th is a function of the seed and n, so threads and vector
// lanes compute them independently. libtorch's generator is sequential.

#pragma once

#include "vectorized.h"

namespace ctorch {

// ln x for a normal x > 0, with an error of at most 2 ULP (the polynomial of Cephes' logf).
INLINE float logarithm(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  // A mantissa in [√½, √2) and its exponent.
  uint32_t shifted = bits - 0x3f3504f3;
  float exponent = static_cast<float>(static_cast<int32_t>(shifted) >> 23);
  uint32_t reduced = (shifted & 0x007fffff) + 0x3f3504f3;
  float m;
  std::memcpy(&m, &reduced, 4);
  float f = m - 1.0f, square = f * f;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  return f + (p * f * square - 0.5f * square + exponent * -2.12194440e-4f) + exponent * 0.693359375f;
}

// sin 2πu and cos 2πu for 0 ≤ u < 1.
INLINE void turn(float u, float &sine, float &cosine) {
  float quarters = u * 4.0f, quadrant = std::nearbyintf(quarters);
  float a = (quarters - quadrant) * 1.57079632679f, square = a * a;
  float s = ((-1.9515295891e-4f * square + 8.3321608736e-3f) * square - 1.6666654611e-1f) * square * a + a;
  float c =
      ((2.443315711809948e-5f * square - 1.388731625493765e-3f) * square + 4.166664568298827e-2f) * square * square -
      0.5f * square + 1.0f;
  int32_t q = static_cast<int32_t>(quadrant);
  float first = q & 1 ? c : s, second = q & 1 ? s : c;
  sine = q & 2 ? -first : first;
  cosine = (q + 1) & 2 ? -second : second;
}

// Philox-4x32 with ten rounds (Salmon et al., 2011): four random words for a key and a counter.
INLINE void philox(uint32_t (&words)[4], uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(words[0]) * 0xD2511F53u, b = uint64_t(words[2]) * 0xCD9E8D57u;
    uint32_t w0 = uint32_t(b >> 32) ^ words[1] ^ key0, w2 = uint32_t(a >> 32) ^ words[3] ^ key1;
    words[1] = uint32_t(b), words[3] = uint32_t(a);
    words[0] = w0, words[2] = w2;
    key0 += 0x9E3779B9u, key1 += 0xBB67AE85u;
  }
}

// 4·blocks standard normal numbers of a stream, by the Box–Muller transform.
INLINE void normal_noise(float *out, int64_t blocks, uint64_t seed, uint64_t stream) {
  for (int64_t i = 0; i < blocks; ++i) {
    uint32_t words[4] = {static_cast<uint32_t>(i), 0, static_cast<uint32_t>(stream),
                         static_cast<uint32_t>(stream >> 32)};
    philox(words, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
    for (int pair = 0; pair < 2; ++pair) {
      // Uniform in (0, 1] and in [0, 1).
      float u = static_cast<float>((words[2 * pair] >> 8) + 1) * 0x1p-24f;
      float v = static_cast<float>(words[2 * pair + 1] >> 8) * 0x1p-24f;
      float radius = square_root(-2.0f * logarithm(u)), sine, cosine;
      turn(v, sine, cosine);
      out[2 * pair * blocks + i] = radius * cosine;
      out[(2 * pair + 1) * blocks + i] = radius * sine;
    }
  }
}

}  // namespace ctorch
