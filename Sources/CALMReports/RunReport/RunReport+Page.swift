extension RunReport {
  /// The style sheet: a single column on phones; light or dark according to the reader's system.
  static let style = """
    :root {
      --back: #f6f7f9; --card: #fff; --text: #1a1d21; --muted: #626a73; --line: #e4e7eb; --mark: #fff3cf;
      font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--back);
    }
    @media (prefers-color-scheme: dark) {
      :root { --back: #14171a; --card: #1d2126; --text: #e6e8ea; --muted: #98a1ab; --line: #31373e; --mark: #453a16; }
      .series, .dot { filter: brightness(1.45); }
    }
    * { box-sizing: border-box; }
    body { margin: 0 auto; max-width: 1360px; padding: 0 16px 48px; }
    header { display: flex; flex-wrap: wrap; gap: 0 16px; align-items: baseline; }
    h1 { font-size: 1.5rem; margin: 20px 0 4px; overflow-wrap: anywhere; }
    h2 { font-size: 1.05rem; margin: 0 0 6px; overflow-wrap: anywhere; }
    h3 { font-size: 1rem; margin: 18px 0 6px; overflow-wrap: anywhere; }
    header p, small, figcaption output, dt, .cards p { color: var(--muted); }
    .dot { display: inline-block; width: 10px; height: 10px; border-radius: 50%; margin-right: 7px; }
    nav {
      position: sticky; top: 0; z-index: 1; display: flex; gap: 8px; overflow-x: auto; padding: 8px 0;
      background: var(--back);
    }
    nav button {
      flex: none; font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
      border-radius: 16px; padding: 5px 13px; cursor: pointer;
    }
    nav button[aria-pressed="false"] { opacity: .45; }
    .cards, .charts { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr)); }
    section { margin-top: 16px; }
    article, .chart, .settings, .samples {
      background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; margin-bottom: 0;
      min-width: 0;
    }
    .cards p { margin: 0 0 8px; }
    .cards b { font-weight: 600; border-radius: 4px; padding: 1px 7px; margin-right: 4px; color: #fff; background: #5b6570; }
    .cards b.running { background: #1b6ca8; }
    .cards b.finished { background: #23854d; }
    .cards b.failed, .cards b.crashed { background: #b93a4b; }
    .cards p.reason { color: inherit; overflow-wrap: anywhere; }
    dl { margin: 0; display: grid; gap: 2px; }
    dl div { display: flex; justify-content: space-between; gap: 12px; }
    dd { margin: 0; font-variant-numeric: tabular-nums; }
    figure { margin: 0; }
    .chart figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 10px; font-weight: 600; }
    .chart output { font-weight: 400; font-size: 13px; font-variant-numeric: tabular-nums; min-height: 1.45em; }
    .chart output .dot { width: 8px; height: 8px; margin: 0 4px 0 9px; }
    svg { display: block; width: 100%; height: auto; touch-action: pan-y; }
    svg .back { fill: none; }
    svg .grid { stroke: var(--line); }
    svg text { fill: var(--muted); font-family: inherit; font-size: 11.5px; }
    svg .cursor { stroke: var(--muted); stroke-dasharray: 3 3; }
    .off { display: none; }
    .samples blockquote {
      margin: 10px 0 2px; padding-left: 12px; border-left: 3px solid var(--line); white-space: pre-wrap;
      overflow-wrap: anywhere; max-width: 80ch;
    }
    .samples figcaption { color: var(--muted); font-size: 13px; padding-left: 15px; }
    .settings label { color: var(--muted); }
    .scroll { overflow-x: auto; }
    table { border-collapse: collapse; font-size: 13.5px; }
    th, td { text-align: left; padding: 4px 18px 4px 0; vertical-align: top; border-bottom: 1px solid var(--line); }
    th { font-weight: 500; white-space: nowrap; }
    td { min-width: 9em; max-width: 40ch; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
    tbody th { color: var(--muted); }
    tr.differs th, tr.differs td { background: var(--mark); }
    .settings:has(#differences:checked) tbody tr:not(.differs) { display: none; }
    @media (max-width: 600px) {
      body { padding: 0 10px 32px; }
      article, .chart, .settings, .samples { padding: 12px; }
      table { display: block; }
      tr { display: grid; grid-template-columns: repeat(var(--runs), minmax(5.5em, 1fr)); }
      tbody th { grid-column: 1 / -1; border: 0; padding-bottom: 0; white-space: normal; overflow-wrap: anywhere; }
      thead th:first-child { display: none; }
      td { min-width: 0; }
    }
    @media print { nav, .settings label { display: none; } .chart, article { break-inside: avoid; } }
    """

  /// The script that hides runs and shows values under the pointer. The page is complete without it.
  static let script = """
    const off = new Set();
    for (const button of document.querySelectorAll("nav button")) {
      button.addEventListener("click", () => {
        const run = button.dataset.run, hide = !off.has(run);
        hide ? off.add(run) : off.delete(run);
        button.setAttribute("aria-pressed", !hide);
        for (const part of document.querySelectorAll(`[data-series="${run}"]`)) part.classList.toggle("off", hide);
      });
    }
    const dots = [...document.querySelectorAll("article h2 .dot")].map((dot) => dot.style.background);
    const number = (value) => Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3)
      ? value.toExponential(2) : String(+value.toPrecision(4));
    for (const chart of document.querySelectorAll(".chart")) {
      const data = JSON.parse(chart.dataset.chart), svg = chart.querySelector("svg"), output = chart.querySelector("output");
      const [left, right, top, bottom] = data.at, [first, last] = data.x;
      const cursor = document.createElementNS(svg.namespaceURI, "line");
      cursor.setAttribute("class", "cursor off");
      cursor.setAttribute("y1", top);
      cursor.setAttribute("y2", bottom);
      svg.append(cursor);
      const read = (event) => {
        const box = svg.getBoundingClientRect(), width = svg.viewBox.baseVal.width;
        const place = (event.clientX - box.left) / box.width * width;
        const step = first + (place - left) / (right - left) * (last - first);
        let nearest = null;
        const values = data.series.map(([x, y], run) => {
          if (!x.length || off.has(String(run))) return null;
          let low = 0, high = x.length - 1;
          while (low < high) { const mid = low + high >> 1; x[mid] < step ? low = mid + 1 : high = mid; }
          const index = low > 0 && step - x[low - 1] < x[low] - step ? low - 1 : low;
          if (nearest === null || Math.abs(x[index] - step) < Math.abs(nearest - step)) nearest = x[index];
          return [run, y[index]];
        }).filter((value) => value);
        if (nearest === null) return;
        const at = left + (nearest - first) / (last - first) * (right - left);
        cursor.setAttribute("x1", at);
        cursor.setAttribute("x2", at);
        cursor.classList.remove("off");
        output.textContent = `step ${Math.round(nearest)}`;
        for (const [run, value] of values) {
          const dot = document.createElement("i");
          dot.className = "dot";
          dot.style.background = dots[run];
          output.append(dot, number(value));
        }
      };
      svg.addEventListener("pointermove", read);
      svg.addEventListener("pointerdown", read);
      svg.addEventListener("pointerleave", () => { cursor.classList.add("off"); output.textContent = ""; });
    }
    """
}
