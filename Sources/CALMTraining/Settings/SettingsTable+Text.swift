// The table as text: the help of the command line, and the tables of the documentation.

extension SettingsTable {
  /// The default of a setting in words; nil where it has none.
  private static func defaultText(of setting: Setting<Self>) -> String? {
    setting.declaration.derivedDefault ?? setting.get(Self())?.description
  }

  /// The values and the default of a setting, in parentheses as in the help of other options: `(default: 16)`.
  private static func remark(on setting: Setting<Self>) -> String? {
    var parts: [String] = []
    if case .choice(let words) = setting.declaration.type { parts.append("values: \(words.joined(separator: ", "))") }
    if let text = defaultText(of: setting) {
      parts.append(
        "default: \(setting.declaration.type.isFlag ? setting.declaration.option(is: text == "true") : text)")
    }
    return parts.isEmpty ? nil : "(\(parts.joined(separator: "; ")))"
  }

  /// The help of all settings, wrapped at a width.
  public static func help(width: Int = 80) -> String {
    groups.map { group in
      "\(group.title.uppercased()):\n" + group.settings.map { help(of: $0, width: width) }.joined()
    }.joined(separator: "\n")
  }

  private static func help(of setting: Setting<Self>, width: Int) -> String {
    let declaration = setting.declaration
    let indentation = String(repeating: " ", count: 26)
    let label =
      "  " + declaration.option
      + (declaration.type.placeholder.map { " <\($0)>" } ?? "/" + declaration.option(is: false))
    var lines = [label.count < indentation.count ? label + indentation.dropFirst(label.count) : label]
    if label.count >= indentation.count { lines.append(indentation) }
    let words = (declaration.help.split(separator: " ") + (remark(on: setting)?.split(separator: " ") ?? []))
    for word in words {
      let isFirst = lines[lines.count - 1].hasSuffix(" ")
      if !isFirst && lines[lines.count - 1].count + 1 + word.count > width {
        lines.append(indentation + word)
      } else {
        lines[lines.count - 1] += isFirst ? word : " \(word)"
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The settings as Markdown: a table under each heading.
  static var markdown: String {
    groups.map { group in
      "### \(group.title)\n\n| name | values | default | |\n| --- | --- | --- | --- |\n"
        + group.settings.map { setting in
          let declaration = setting.declaration
          let effect =
            declaration.condition.map { condition in
              " Only with `\(condition.name)` \(condition.values.map { "`\($0)`" }.joined(separator: ", "))."
            } ?? ""
          return "| `\(declaration.name)` | \(declaration.type.requirement) "
            + "| \(defaultText(of: setting) ?? "") | \(declaration.help)\(effect) |\n"
        }.joined()
    }.joined(separator: "\n")
  }
}

extension SettingDeclaration {
  /// The option that sets a flag: `--name` or `--no-name`.
  func option(is flag: Bool) -> String { flag ? option : "--no-" + option.dropFirst(2) }
}

/// `docs/settings.md`: the settings of all kinds of model.
package enum SettingsDocument {
  /// The page.
  package static var text: String {
    """
    # Settings

    The settings of `calm train`. A name with dashes is an option (`learning_rate` is `--learning-rate`; a flag is
    `--name` or `--no-name`); the same names are the keys of a `--config` file, of `settings` in `run.json`, and of the
    entries of an experiment file. `calm train KIND --print-settings` prints the values of a run.

    This page is generated from the table in `Sources/CALMTraining/Settings`; a test compares them.
    `CALM_WRITE_DOCS=1 swift test --filter SettingsDocumentTests` writes it.


    """ + ModelKind.allCases.map { "## \($0.command)\n\n" + $0.settings.markdown }.joined(separator: "\n")
  }
}
