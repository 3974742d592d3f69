import ArgumentParser
import CALMTraining

/// `calm distill`.
struct DistillCommand: TrainingCommand {
  typealias Settings = DistillationSettings

  static let configuration = CommandConfiguration(
    commandName: "distill",
    abstract: "Distill a language model with a posterior, tokens or flow head into one that samples in one step.",
    discussion: """
      The student is a copy of the model; only its head is trained. The text provides the contexts. The student of a \
      posterior or flow head learns to predict, in one evaluation of its network, the chunk at which the model's path \
      from the same noise ends. The student of a tokens head learns to propose shortlists of tokens, from which the \
      head chooses, so that one product with the vocabulary serves all tokens of a chunk. Its default learning rate is \
      0.004.

      Example:
        calm distill runs/lm/model --data data --out runs/student
        calm distill --resume runs/student
      """)

  @OptionGroup var options: TrainOptions
}
