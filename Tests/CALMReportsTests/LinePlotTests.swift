import CALMReports
import Testing

@Suite("Line plots") struct LinePlotTests {
  @Test("A point that a logarithmic axis cannot show is omitted with its label")
  func labels() {
    let series = LinePlot.Series(name: "s", points: [(0, 1), (10, 2), (100, 3)], labels: ["none", "ten", "hundred"])
    let plot = LinePlot(title: "", xLabel: "", yLabel: "", series: [series], isLogarithmic: true)
    #expect(plot.series[0].points.map(\.x) == [10, 100])
    #expect(plot.svg.contains(">ten<") && plot.svg.contains(">hundred<") && !plot.svg.contains(">none<"))
  }
}
