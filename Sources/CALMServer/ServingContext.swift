import CALMServing
import Hummingbird
import NIOCore

/// The context of a request, with its connection.
struct ServingContext: RequestContext {
  var coreContext: CoreRequestContextStorage
  /// The connection.
  let channel: any Channel

  init(source: ApplicationRequestContextSource) {
    coreContext = CoreRequestContextStorage(source: source)
    channel = source.channel
  }
}

/// The models of a server by name.
package struct ServedModels: Sendable {
  /// The models in the order in which they were given, with the times at which they were, in seconds since 1970.
  package let list: [(name: String, engine: Engine, created: Int)]

  package init(_ list: [(name: String, engine: Engine, created: Int)]) {
    self.list = list
  }

  /// The model of a name.
  func model(_ name: String) throws(APIError) -> (name: String, engine: Engine, created: Int) {
    guard let found = list.first(where: { $0.name == name }) else {
      throw APIError(
        status: 404,
        "the model '\(name.count > 64 ? name.prefix(64) + "…" : name)' does not exist; GET /v1/models "
          + "lists the models", type: "invalid_request_error", param: "model", code: "model_not_found")
    }
    return found
  }

  /// Refuses further requests.
  func close() { for model in list { model.engine.close() } }

  /// Ends all requests and threads.
  func stop() { for model in list { model.engine.stop() } }

  var isIdle: Bool { list.allSatisfy(\.engine.isIdle) }
}
