import ArgumentParser
import CALMTraining

/// `calm distill`.
struct DistillCommand: TrainingCommand {
  typealias Settings = DistillationSettings

  static let configuration = CommandConfiguration(
    commandName: "distill",
    abstract: "Distill a language model with a posterior, tokens or flow head into one that samples in one step.",
    discussion: """
      The student has the Transformer of the model; only its head is trained. It learns to predict, in one evaluation \
      of its network, the chunk at which the model's path from the same noise ends. The text provides the contexts. \
      A posterior or flow head starts as a copy. The student of a tokens head has a posterior head.

      Example:
        calm distill runs/lm/model --data data --out runs/student
        calm distill --resume runs/student
      """)

  @OptionGroup var options: TrainOptions
}
