import CALMSupport
import Testing

@Suite struct PathTests {
  @Test(
    "A path splits into its parent folder and its last component",
    arguments: [
      ("a", "", "a"), ("a/b", "a", "b"), ("/a", "/", "a"), ("/a/b/", "/a", "b"), ("a//b", "a", "b"),
      ("../x", "..", "x"),
      ("/", "/", ""), ("", "", ""), ("ä/ö", "ä", "ö"),
    ])
  func parts(path: String, parent: String, name: String) {
    #expect(path.parentPath == parent && path.lastName == name)
  }

  @Test("Appending a name to a path inserts a slash if needed")
  func appending() {
    #expect("".appendingName("x") == "x" && "a".appendingName("x") == "a/x" && "/".appendingName("x") == "/x")
  }
}
