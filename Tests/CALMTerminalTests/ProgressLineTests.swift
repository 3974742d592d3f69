import CALMSupport
import CALMTerminal
import Testing

@Suite("Progress bar") struct ProgressLineTests {
  private func line(
    _ completed: Int, of total: Int?, elapsed: Double = 10, initial: Int = 0, detail: String = "loss 3.21"
  ) -> ProgressLine {
    ProgressLine(
      label: "training", completed: completed, total: total, detail: detail, elapsed: elapsed, initial: initial)
  }

  @Test("A progress line is never wider than the terminal")
  func width() {
    for columns in 0...200 {
      for progress in [line(40, of: 100), line(40, of: nil), line(0, of: 0), line(7, of: 5)] {
        #expect(progress.drawn(columns: columns, unicode: true).count <= columns)
      }
    }
  }

  @Test("The bar fills in proportion to the work done")
  func filling() {
    for percent in stride(from: 0, through: 100, by: 10) {
      let drawn = line(percent, of: 100).drawn(columns: 120, unicode: false)
      #expect(drawn.filter { $0 == "#" }.count == percent * 30 / 100)
      #expect(drawn.contains("\(percent) %"))
    }
  }

  @Test("The time left follows from the speed of this run, not from the work of an earlier one")
  func timeLeft() {
    #expect(line(25, of: 100, elapsed: 10).secondsLeft == 30)
    #expect(line(75, of: 100, elapsed: 10, initial: 50).secondsLeft == 10)
    #expect(line(100, of: 100).secondsLeft == 0)
    #expect(line(0, of: 100).secondsLeft == nil)
    #expect(line(5, of: nil).secondsLeft == nil)
  }

  @Test("Durations are formatted as h:mm:ss")
  func clock() {
    #expect(ProgressLine.clock(7.4) == "0:07")
    #expect(ProgressLine.clock(750) == "12:30")
    #expect(ProgressLine.clock(3 * 3600 + 300) == "3:05:00")
  }

  @Test("A line for a log has neither a bar nor control characters")
  func plain() {
    #expect(line(40, of: 100).plain == "training   40 %  loss 3.21  0:15 left")
  }
}

@Suite("Numbers and tables") struct QuantityTests {
  @Test("Numbers are formatted with units and grouped digits")
  func numbers() {
    #expect(shortCount(950) == "950")
    #expect(shortCount(371_732_608) == "371.7 M")
    #expect(shortCount(1_820_000_000) == "1.82 B")
    #expect(shortBytes(1_500_000) == "1.5 MB")
    #expect(grouped(1_234_567) == "1,234,567")
    #expect(grouped(-1000) == "-1,000")
    #expect(counted(1, "line") == "1 line")
    #expect(counted(1200, "line") == "1,200 lines")
    #expect(scientific(2.9e8) == "2.90e8")
    #expect(scientific(0) == "0")
    #expect(scientific(1e-5) == "1.00e-5")
  }

  @Test("Each column of a table is as wide as its widest cell")
  func table() {
    var table = Table(header: ["name", "count"])
    table.append(["a", "1"])
    table.append(["longer", "1000"])
    #expect(table.text == "name    count\na           1\nlonger   1000\n")
  }

  @Test("The suggestions for a mistyped name are the nearest names, nearest first")
  func suggestions() {
    #expect(nearestNames(to: "calm-n", among: ["calm-m", "small", "calm-xl"]).first == "calm-m")
    #expect(nearestNames(to: "Small", among: ["small"]) == ["small"])
    #expect(nearestNames(to: "zebra", among: ["calm-m", "small"]).isEmpty)
  }
}
