extension TrainingPlan {
  private var trainedParameters: Int { model.cost.parameters }

  /// The bytes of the weights on a device: the trained ones and the frozen autoencoder, in the type of the computation.
  /// In bfloat16 the autoencoder's float32 values stay, for checkpoints.
  public var weightBytes: Int {
    let frozen = model.cost.frozenParameters * (training.valueBytes == 4 ? 4 : training.valueBytes + 4)
    return trainedParameters * training.valueBytes + frozen
  }

  /// The bytes of the gradients on a device. With several devices and several parts per step, the sums over the parts
  /// and the buffers of the exchange exist at the same time.
  public var gradientBytes: Int {
    let copies = cluster.devices > 1 && gradientAccumulation > 1 ? 2 : 1
    return copies * trainedParameters * training.valueBytes
  }

  /// The bytes of AdamW's state on a device: two moments in float32, and in bfloat16 the float32 weights.
  ///
  /// - Parameter sharded: Whether each device keeps its part only.
  public func optimizerBytes(sharded: Bool) -> Int {
    let own = sharded ? (trainedParameters + cluster.devices - 1) / cluster.devices : trainedParameters
    return own * (training.valueBytes == 4 ? 8 : 12)
  }

  /// Sequences that a device computes at once.
  public var sequencesAtOnce: Int { training.batchSize / (cluster.devices * gradientAccumulation) }

  /// The bytes of the activations on a device.
  ///
  /// - Parameter recomputed: Whether the backward pass recomputes the Transformer's layers.
  public func activationBytes(recomputed: Bool) -> Int {
    model.activations.bytes(
      positions: sequencesAtOnce * sequenceLength / tokensPerPosition, width: training.valueBytes,
      recomputingLayers: recomputed)
  }

  private var tokensPerPosition: Int {
    switch model {
    case .continuous(let model, _): model.chunkSize
    case .autoencoder(let model): model.chunkSize
    case .autoregressive: 1
    }
  }

  /// The bytes of weights, gradients, optimizer state and activations on a device, as the training is set. Temporary
  /// values within operations and the memory that the allocator and libraries keep come on top.
  public var memoryBytes: Int {
    weightBytes + gradientBytes + optimizerBytes(sharded: training.shardsOptimizer)
      + activationBytes(recomputed: training.recomputesLayers)
  }
}
