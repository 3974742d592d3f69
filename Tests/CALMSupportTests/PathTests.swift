import CALMSupport
import Testing

@Suite struct PathTests {
  @Test(
    "a path's last name and the folder before it",
    arguments: [
      ("a", "", "a"), ("a/b", "a", "b"), ("/a", "/", "a"), ("/a/b/", "/a", "b"), ("a//b", "a", "b"),
      ("../x", "..", "x"),
      ("/", "/", ""), ("", "", ""), ("ä/ö", "ä", "ö"),
    ])
  func parts(path: String, parent: String, name: String) {
    #expect(path.parentPath == parent && path.lastName == name)
  }

  @Test("a name in a folder")
  func appending() {
    #expect("".appendingName("x") == "x" && "a".appendingName("x") == "a/x" && "/".appendingName("x") == "/x")
  }
}
