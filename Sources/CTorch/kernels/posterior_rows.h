// Rows of logits over the vocabulary, for the posterior heads (CALM/Heads/PosteriorHead.swift).

#pragma once

#include "../support.h"
#include "row_arithmetic.h"

namespace ctorch {

// The most likely of some tokens, the first of equal ones; token −1 and an infinite logit if one is not finite.
struct Choice {
  float logit = -std::numeric_limits<float>::infinity();
  int32_t token = 0;

  void consider(const Choice &other) {
    if (other.logit > logit || (other.logit == logit && other.token < token)) *this = other;
  }
};

// Adds a summand to the logits of the tokens first..<first + size.
INLINE Choice most_likely(float *logits, const float *summand, int64_t first, int64_t size) {
  ANY_ORDER
  float zeros = 0;
  for (int64_t i = 0; i < size; ++i) {
    logits[i] += summand[i];
    zeros += logits[i] * 0.0f;  // NaN if a logit is not finite
  }
  if (!(zeros == 0.0f)) return {std::numeric_limits<float>::infinity(), -1};
  float top = largest(logits, size);
  int64_t token = 0;
  while (token < size - 1 && logits[token] != top) ++token;
  return {top, static_cast<int32_t>(first + token)};
}

}  // namespace ctorch
