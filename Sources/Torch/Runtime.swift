import CTorch

/// libtorch in this process: its version, threads and memory settings.
public enum Runtime {
  /// The version of libtorch, for example `2.13.0`.
  public static var version: String { String(cString: ct_version()) }

  /// libtorch's build configuration: compilers, BLAS, oneDNN and OpenMP, in several lines.
  public static var buildConfiguration: String { String(cString: ct_build_configuration()) }

  /// The vector instructions of libtorch's kernels, for example `AVX512`.
  public static var processorCapability: String { String(cString: ct_cpu_capability()) }

  /// The maximum number of threads per operation. It changes the order of some of libtorch's sums, so results are
  /// reproducible to the bit only with the same number of threads.
  public static var threads: Int {
    get { Int(ct_get_threads()) }
    set { ct_set_threads(Int32(newValue)) }
  }

  /// Lets threads that wait for each other sleep soon, so that they leave the cores to each other and to other programs.
  /// If one other program computes on two cores, a training step takes 2.7 times as long without it, and 1.8 times with
  /// it. On free cores it costs up to a tenth of the speed of generation.
  ///
  /// This applies to the whole process, with GNU's OpenMP library. The environment variables `OMP_WAIT_POLICY` and
  /// `GOMP_SPINCOUNT` take precedence.
  public static func shortenWaits() {
    ct_shorten_waits()
  }

  /// Takes denormal numbers, those below 1.2e-38 in float32, for zero: on this thread, and on those that it starts from
  /// now on, such as the threads of its parallel loops. Call it before the thread computes.
  ///
  /// Intel processors compute with such numbers a hundred times slower than with others. Probabilities of unlikely
  /// tokens are often so small: without this, a training step with the posterior head took seven times as long.
  ///
  /// - Returns: false if the processor cannot do this.
  @discardableResult
  public static func flushDenormals() -> Bool { ct_flush_denormals() }

  /// Caches the memory of freed tensors for later tensors of the same size. With glibc, training steps are up to twice
  /// as fast. The cache adds at most a quarter to the peak memory in use.
  ///
  /// This replaces the tensor allocator of the whole process. Call it once, at program start.
  public static func tuneAllocator() {
    ct_tune_allocator()
  }
}
