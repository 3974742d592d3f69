// One completion on the page.

import { copies } from "./playground-copy.js";

/** A card that shows a completion as it is generated, chunk by chunk. */
export class Completion {
  constructor(index, prompt) {
    this.card = document.createElement("article");
    this.card.setAttribute("aria-label", `Completion ${index + 1}`);
    const head = part(this.card, "div", "row");
    part(head, "h3", "", `Completion ${index + 1}`);
    const copy = part(head, "button", "", "Copy");
    copy.type = "button";
    copy.setAttribute("aria-label", `Copy completion ${index + 1}`);
    copies(copy, () => this.text);
    const text = part(this.card, "p", "text");
    // The end of a long prompt shows enough of where the text continues.
    part(text, "span", "given", prompt.length > 240 ? `…${prompt.slice(-240)}` : prompt);
    this.chunks = part(text, "span", "chunks");
    this.ending = part(this.card, "p", "hint");
  }

  get text() {
    return this.chunks.textContent;
  }

  append(text) {
    part(this.chunks, "span", "chunk", text);
  }

  end(reason) {
    const words = { stop: "End of the text", length: "Maximum length", stopped: "Stopped" };
    this.ending.textContent = words[reason] ?? reason;
  }
}

function part(parent, name, className = "", text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.textContent = text;
  parent.append(element);
  return element;
}
