/// A fact at a point of a story: who has the kite, where the children are, who is ahead.
///
/// A fact is the value of a ``Variable`` of the story's world. A new value replaces the old one, so a kite that the
/// parrot has is no longer stuck in the tree.
package enum Fact: Hashable, Sendable {
  case has(Role, Role)
  case lost(Role)
  case stuck(Role)
  case gone(Role)
  case halved(Role)
  case eaten(Role)
  case promised(Role)
  case boxed(Role)
  case wrapped(Role)
  case at(Role, Role)
  case crying(Role)
  case hungry(Role)
  case hurt(Role)
  case ahead(Role)
  case won(Role)
  case wonTogether
  case raining

  /// A property of the story's world.
  package enum Variable: Hashable, Sendable {
    case whereabouts(Role)
    case packing(Role)
    case position(Role)
    case mood(Role)
    case race
    case weather
  }

  /// The variable of which the fact is a value.
  package var variable: Variable {
    switch self {
    case .has(_, let thing), .lost(let thing), .stuck(let thing), .gone(let thing),
      .halved(let thing), .eaten(let thing), .promised(let thing):
      .whereabouts(thing)
    case .boxed(let thing), .wrapped(let thing): .packing(thing)
    case .at(let person, _): .position(person)
    case .crying(let person), .hungry(let person), .hurt(let person): .mood(person)
    case .ahead, .won, .wonTogether: .race
    case .raining: .weather
    }
  }

  /// The fact as text with the names of a story: "Tom has the kite".
  package func description(in casting: Casting) -> String {
    func name(_ role: Role) -> String {
      guard let word = casting.word(role) else { return "the \(role)" }
      return word.gender != nil ? word.name : "the \(word.name)"
    }
    return switch self {
    case .has(let person, let thing): "\(name(person)) has \(name(thing))"
    case .lost(let thing): "\(name(thing)) is lost"
    case .stuck(let thing): "\(name(thing)) is stuck in the tree"
    case .gone(let thing): "\(name(thing)) is gone"
    case .halved(let thing): "\(name(thing)) is cut in two"
    case .eaten(let thing): "\(name(thing)) is eaten"
    case .promised(let thing): "\(name(thing)) is promised"
    case .boxed(let thing): "\(name(thing)) is in a box"
    case .wrapped(let thing): "\(name(thing)) is wrapped in paper"
    case .at(let person, let place): "\(name(person)) is at \(name(place))"
    case .crying(let person): "\(name(person)) is crying"
    case .hungry(let person): "\(name(person)) is hungry"
    case .hurt(let person): "\(name(person)) is hurt"
    case .ahead(let person): "\(name(person)) is ahead"
    case .won(let person): "\(name(person)) has won"
    case .wonTogether: "both have won"
    case .raining: "it is raining"
    }
  }
}
