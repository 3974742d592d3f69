import ArgumentParser
import CALMTraining

/// `calm distill`.
struct DistillCommand: TrainingCommand {
  typealias Settings = DistillationSettings

  static let configuration = CommandConfiguration(
    commandName: "distill",
    abstract: "Distill a language model with a posterior or flow head into one that samples in one step.",
    discussion: """
      The student is a copy of the model. Only its head is trained: to give, in one evaluation of its network, the \
      chunk at the end of the model's path from the same noise. The text provides the contexts.

      Example:
        calm distill runs/lm/model --data data --out runs/student
        calm distill --resume runs/student
      """)

  @OptionGroup var options: TrainOptions
}
