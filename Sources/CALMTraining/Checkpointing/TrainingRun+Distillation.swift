import CALM
import Foundation

extension TrainingRun {
  /// The name of the second phase's folder in that of the run.
  static let studentName = "student"

  /// The run that distills the trained model, the second phase of a run with `distill_steps`: new, or resumed if it has
  /// begun. Its folder is `student/` in that of this run. Nil without a second phase.
  ///
  /// - Parameter group: the processes that train together; all call this after the first phase has ended.
  /// - Throws: an error of creating or resuming a run.
  public func distillation(group: any DataParallelGroup = SingleProcess()) throws -> TrainingRun? {
    guard let settings = record.settings as? LanguageModelSettings, settings.distillationSteps > 0 else { return nil }
    let student = folder.url.appendingPathComponent(Self.studentName)
    let hasBegun = FileManager.default.fileExists(atPath: RunFolder(at: student).recordURL.path)
    // Process 0 decides for all, after it has written the model.
    if try group.sum([group.rank == 0 && hasBegun ? 1 : 0])[0] > 0 {
      return try TrainingRun(resuming: student, device: device, group: group)
    }
    guard let phase = try settings.distillation(of: folder.modelURL) else { return nil }
    return try TrainingRun(RunRecord(phase, program: record.program), in: student, group: group)
  }

  /// Checks that a run whose second phase has begun is not trained any further: the student would be that of an earlier
  /// model.
  ///
  /// - Throws: ``TrainingError/studentExists(_:)``.
  func checkStudent() throws {
    let student = folder.url.appendingPathComponent(Self.studentName)
    if step < trainer.total && FileManager.default.fileExists(atPath: RunFolder(at: student).recordURL.path) {
      throw TrainingError.studentExists(student.path)
    }
  }
}
