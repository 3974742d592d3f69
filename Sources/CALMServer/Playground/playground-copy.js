// Buttons that copy.

/** Makes a button copy the text that `read` returns, and say so. */
export function copies(button, read) {
  const label = button.textContent;
  let timer;
  button.addEventListener("click", async () => {
    button.textContent = (await copy(read())) ? "Copied" : "Not copied";
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = label), 1500);
  });
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Browsers have a clipboard only for this computer and for HTTPS. The older way is left.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "unseen";
    const before = document.activeElement;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    before?.focus();
    return isCopied;
  }
}
