/// Arguments of a command with options that have no effect or contradict each other.
struct OptionConflict {
  /// The arguments after the command's words, separated by spaces. Names in braces stand for paths; see
  /// ``OptionConflictTests``.
  let arguments: String
  /// Text in the error line.
  let refusal: String

  init(_ arguments: String, _ refusal: String) { (self.arguments, self.refusal) = (arguments, refusal) }

  /// For every command: the options that contradict each other. A command that is missing here fails a test.
  static let all: [(command: String, conflicts: [OptionConflict])] = [
    ("tokenizer train", ofTextFiles("{files} --out {out}")),
    ("tokenizer encode", []),
    ("tokenizer decode", []),
    (
      "data prepare",
      ofTextFiles("{files} --tokenizer {tokenizer} --out {out}") + [
        .init("{lines} --tokenizer t --out {out} --prompt-field p", "go together"),
        .init("{lines} --tokenizer t --out {out} --completion-field c", "go together"),
        .init(
          "{lines} --tokenizer t --out {out} --prompt-field p --completion-field c --text-field x",
          "--text-field has no effect with --completion-field"),
        .init(
          "{text} --tokenizer t --out {out} --validation-fraction 0 --validation-max-documents 5 --seed 3",
          "--validation-max-documents, --seed have no effect with --validation-fraction 0"),
      ]
    ),
    ("data join", []),
    (
      "demo",
      [
        .init(
          "--out {out} --document-unit lines --lossy --skip-malformed",
          "--document-unit, --lossy, --skip-malformed have no effect without --text"),
        .init("--out {out} --text {lines} --document-unit lines", "--document-unit has no effect on JSON lines"),
        .init("--out {out} --text {text} --skip-malformed", "--skip-malformed has no effect on plain text"),
        .init("--out {out} --quick --minutes 2 --steps 5", "--minutes, --steps have no effect with --quick"),
        .init("--out {out} --minutes 2 --steps 5", "--minutes has no effect with --steps"),
      ]
    ),
    (
      "train autoencoder",
      ofTraining + [
        .init(
          "{new} --no-variational --kl-weight 1 --kl-clamp 1",
          "--kl-weight, --kl-clamp have no effect with --no-variational"),
        .init(
          "{new} --init-from {autoencoder} --no-variational", "--no-variational contradicts the model of --init-from"),
        .init("{new} --init-from {plain} --variational", "--variational contradicts the model of --init-from"),
        .init("{new} --init-from {plain} --kl-weight 1", "--kl-weight has no effect with --no-variational"),
        .init("{new} --init-from {autoencoder} --chunk-size 5", "--chunk-size is 8 in the model of --init-from, not 5"),
        .init(
          "{new} --init-from {autoencoder} --latent-size 5", "--latent-size is 8 in the model of --init-from, not 5"),
        .init(
          "{new} --init-from {autoencoder} --hidden-size 5", "--hidden-size is 24 in the model of --init-from, not 5"),
        .init(
          "{new} --init-from {autoencoder} --intermediate-size 5",
          "--intermediate-size is 40 in the model of --init-from, not 5"),
        .init("{new} --init-from {autoencoder} --layers 4", "--layers is 2 in the model of --init-from, not 4"),
      ]
    ),
    (
      "train lm",
      ofTraining + ofInitialTransformer("{calm}") + [
        .init("{new} --autoencoder a --head flow --noise-size 8", "--noise-size has no effect with --head flow"),
        .init("{new} --head tokens --autoencoder a", "--autoencoder has no effect with --head tokens"),
        .init("{new} --autoencoder a --embedding-size 8", "--embedding-size has no effect with --head energy"),
        .init("{new} --autoencoder a --chunk-size 8", "--chunk-size has no effect with --head energy"),
        .init("{new} --head posterior --best-metric energy_score", "is not a metric of --head posterior"),
        .init("{new} --autoencoder a --latent-bound 8", "--latent-bound has no effect with --head energy"),
        .init(
          "{new} --autoencoder a --aux-warmup-steps 5 --aux-weight 0",
          "--aux-warmup-steps needs an --aux-weight above 0"),
        .init("{new} --autoencoder a --steps 9 --aux-warmup-steps 9", "--aux-warmup-steps 9 covers all 9 steps"),
        .init("{new} --autoencoder a --preset transformer-s", "--preset must be one of"),
        .init("{new} --init-from {calm} --preset calm-m", "--preset cannot be combined with --init-from"),
        .init("{new} --init-from {calm} --head flow", "--head is energy in the model of --init-from, not flow"),
        .init("{new} --init-from {calm} --head-blocks 5", "--head-blocks is 2 in the model of --init-from, not 5"),
        .init("{new} --init-from {calm} --noise-size 5", "--noise-size is 16 in the model of --init-from, not 5"),
        .init("{new} --init-from {calm} --input latents", "--input is tokens in the model of --init-from, not latents"),
        .init("{new} --init-from {calm} --latent-bound 8", "--latent-bound has no effect with --head energy"),
      ]
    ),
    (
      "distill",
      [
        .init("{calm} {new}", "only posterior, tokens and flow heads can be distilled"),
        .init("{new}", "name the model to distill first"),
      ]
    ),
    (
      "train transformer",
      ofTraining + ofInitialTransformer("{transformer}") + [
        .init("{new} --preset calm-m", "--preset must be one of"),
        .init("{new} --init-from {transformer} --preset transformer-s", "--preset cannot be combined with --init-from"),
        .init(
          "{new} --init-from {transformer} --tie-embeddings", "--tie-embeddings contradicts the model of --init-from"),
        .init(
          "{new} --init-from {tied} --no-tie-embeddings", "--no-tie-embeddings contradicts the model of --init-from"),
      ]
    ),
    ("experiment", []),
    ("runs", []),
    (
      "report",
      [
        .init(
          "r --num-samples 0 --temperature 1/3 --threads 1 --device cpu --precision auto",
          "--temperature, --threads, --device, --precision have no effect with --num-samples 0")
      ]
    ),
    (
      "eval autoencoder",
      ofEvaluation + [.init("m --data d --noise-levels 0 --seed 3", "--seed has no effect without noise")]
    ),
    (
      "eval lm",
      ofEvaluation + [
        .init("m --data d --teacher t", "--teacher has no effect without --diagnostics"),
        .init("{calm} --data d --diagnostics --teacher t", "--teacher is for a one-step model"),
      ]
    ),
    ("eval transformer", ofEvaluation),
    (
      "generate",
      [
        .init("m --prompt a --prompt-file b", "give --prompt or --prompt-file, not both"),
        .init(
          "m --temperature 1 --sampler batch --candidates 9", "--sampler, --candidates have no effect at temperature 1"),
        .init("m --sampler exact --candidates 9", "--candidates has no effect with --sampler exact"),
        .init("m --max-samples 9", "--max-samples has no effect without a prompt or --sampler exact"),
        .init(
          "m --max-samples 9 --sampler exact --temperature 1",
          "--max-samples has no effect without a prompt or --sampler exact"),
        .init("m --continue-text", "--continue-text has no effect without a prompt"),
        .init("{calm} --top-k 5", "--top-k needs the probabilities of tokens"),
        .init("{calm} --top-p 0.5", "--top-p needs the probabilities of tokens"),
        .init("{transformer} --sampler batch", "--sampler needs a continuous language model"),
        .init("{transformer} --candidates 9", "--candidates needs a continuous language model"),
        .init("{transformer} --prompt a --max-samples 9", "--max-samples needs a continuous language model"),
        .init("{transformer} --autoencoder a", "--autoencoder needs a continuous language model"),
      ]
    ),
    (
      "info",
      [
        .init(
          "calm-m --devices 8 --rate 100 --shard-optimizer --mtbf 9",
          "--devices, --rate, --shard-optimizer, --mtbf have no effect without --plan"),
        .init("calm-m --plan 1B", "--plan needs --rate"),
        .init("--plan 1B --rate 100", "--plan needs a model folder or a preset"),
        .init("calm-m --plan 1B --rate 100 --tokens 1B", "--tokens has no effect with --plan"),
        .init("calm-m --plan 1B --rate 100 --utilization 40", "--utilization must be at most 1"),
        .init("calm-m --plan 1B --rate 100 --link 0", "--link must be above 0"),
        .init("calm-m --plan 1e30 --rate 100", "--plan must be at most 1e18"),
        .init("calm-m --plan 1B --rate 100 --devices 512", "256 sequences per step cannot be split among 512 devices"),
      ]
    ),
    (
      "convert",
      [
        .init(
          "{autoencoder} --to official --out {out} --autoencoder a",
          "--autoencoder needs a continuous language model")
      ]
    ),
    ("doctor", []),
    // Its options are those of calm-serve, to which it hands them over.
    ("serve", []),
    (
      "calm-bench table",
      ofBench("tokenizer data") + [
        .init("train-ae --official o", "--official and --python require each other"),
        .init("train-ae --compile", "--compile requires --official"),
        .init("generate --official o --python p --compile", "--compile has no effect on generate"),
        .init("--official o --python p --candidates 9", "--candidates has no effect on the official code"),
        .init("train-tokens --official o --python p", "--official, --python have no effect on train-tokens"),
      ]
    ),
    ("calm-bench job", ofBench("tokenizer")),
    ("calm-bench machine", []),
    ("calm-bench growth", []),
  ]

  /// Options for reading plain text and JSON lines.
  private static func ofTextFiles(_ arguments: String) -> [Self] {
    func reading(_ file: String, _ options: String) -> String {
      arguments.replacing("{files}", with: file) + " " + options
    }
    return [
      .init(reading("{lines}", "--document-unit lines"), "--document-unit has no effect on JSON lines"),
      .init(reading("{text}", "--format jsonl --document-unit lines"), "--document-unit has no effect on JSON lines"),
      .init(reading("{text}", "--text-field x"), "--text-field has no effect on plain text"),
      .init(reading("{lines}", "--format text --text-field x"), "--text-field has no effect on plain text"),
      .init(reading("{text}", "--skip-malformed"), "--skip-malformed has no effect on plain text"),
    ]
  }

  /// Options of all training commands.
  private static let ofTraining: [Self] = [
    .init("{new} --batch-size 6 --gradient-accumulation 4", "--batch-size 6 cannot be split into the 4 parts"),
    .init("{new} --schedule cosine --decay-fraction 0.3", "--decay-fraction has no effect with --schedule cosine"),
    .init("{new} --schedule constant --decay-fraction 0.3", "--decay-fraction has no effect with --schedule constant"),
    .init("{new} --steps 9 --warmup-steps 9", "--warmup-steps 9 covers all 9 steps"),
    .init(
      "{new} --shard-optimizer --process-timeout 9",
      "--shard-optimizer, --process-timeout have no effect in a single process"),
    .init("{new} --processes 1 --process-timeout 9", "--process-timeout has no effect in a single process"),
    .init("{new} --max-restarts 3", "--max-restarts needs --processes"),
    .init("--resume r --max-restarts 3", "--max-restarts needs --processes"),
    .init("--resume r --process-timeout 9", "--process-timeout has no effect in a single process"),
  ]

  /// The sizes of an initial model.
  private static func ofInitialTransformer(_ model: String) -> [Self] {
    [
      .init("{new} --init-from \(model) --hidden-size 5", "--hidden-size is 48 in the model of --init-from, not 5"),
      .init(
        "{new} --init-from \(model) --intermediate-size 5",
        "--intermediate-size is 128 in the model of --init-from, not 5"),
      .init("{new} --init-from \(model) --layers 5", "--layers is 3 in the model of --init-from, not 5"),
      .init("{new} --init-from \(model) --heads 5", "--heads is 4 in the model of --init-from, not 5"),
      .init(
        "{new} --init-from \(model) --key-value-heads 5", "--key-value-heads is 4 in the model of --init-from, not 5"),
      .init("{new} --init-from \(model) --document-masking", "--document-masking contradicts the model of --init-from"),
    ]
  }

  /// The text of an evaluation.
  private static let ofEvaluation: [Self] = [
    .init("m", "either --data or --text"),
    .init("m --data d --text t", "either --data or --text"),
    .init(
      "m --data d --tokenizer t --lossy --skip-malformed",
      "--tokenizer, --lossy, --skip-malformed have no effect with --data"),
    .init("m --text t --split train", "--split has no effect with --text"),
  ]

  /// The work of the jobs.
  private static func ofBench(_ textJobs: String) -> [Self] {
    [
      .init(
        "train-lm --prompt-tokens 8 --new-tokens 8 --candidates 9",
        "--prompt-tokens, --new-tokens, --candidates have no effect"),
      .init("train-ae --text t --tokenizer t", "--text, --tokenizer have no effect on train-ae"),
      .init(
        "generate --batch-size 2 --sequence-length 8", "--batch-size, --sequence-length have no effect on generate"),
      .init("generate --candidates 9", "--candidates has no effect on generate"),
      .init("\(textJobs) --vocab-size 99", "--vocab-size has no effect on tokenizer"),
      .init("\(textJobs) --shape wide", "--shape has no effect on"),
      .init("\(textJobs) --precision float32 --device cpu", "have no effect on"),
    ]
  }
}
