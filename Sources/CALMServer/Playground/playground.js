// The page: reads the form, sends the request, and shows the stream.

import { Failure, events, send } from "./playground-client.js";
import { curl, python } from "./playground-code.js";
import { Completion } from "./playground-completion.js";
import { copies } from "./playground-copy.js";

const element = (id) => document.getElementById(id);
const form = element("form");
/** The temperatures of the slider: powers with whole exponents cost the samplers the least. */
const temperatures = [
  { value: 1 / 4, sign: "¼", name: "one quarter" },
  { value: 1 / 3, sign: "⅓", name: "one third" },
  { value: 1 / 2, sign: "½", name: "one half" },
  { value: 3 / 4, sign: "¾", name: "three quarters" },
  { value: 1, sign: "1", name: "one" },
];
/** The models of the server by name. */
let models = new Map();
/** Whether the server demands a key. */
let needsKey = false;
/** Ends the running request; null if none runs. */
let running = null;

// MARK: The form

const temperature = () => temperatures[element("temperature").valueAsNumber];
const chosen = (name) => form.elements[name].value;
/** What the server says of the chosen model; undefined while the model is being loaded. */
const facts = () => models.get(element("model").value)?.calm;

/** The body of the request. */
function body() {
  const body = {
    model: element("model").value,
    prompt: element("prompt").value,
    max_tokens: element("length").valueAsNumber,
    temperature: temperature().value,
    seed: element("seed").valueAsNumber,
  };
  if (chosen("count") !== "1") body.n = Number(chosen("count"));
  if (usesSampler()) {
    body.calm = { sampler: chosen("sampler") };
    if (chosen("sampler") === "batch") body.calm.pool = element("pool").valueAsNumber;
  }
  body.stream = true;
  body.stream_options = { include_usage: true };
  return body;
}

const usesSampler = () => facts()?.probabilities !== true && temperature().value < 1;

/** Updates all that depends on the fields. */
function refresh() {
  const { sign, name } = temperature();
  element("temperature-value").textContent = sign;
  element("temperature").setAttribute("aria-valuetext", name);
  element("digest").textContent = `temperature ${sign}, ${element("length").value} tokens`;
  const isUsed = usesSampler();
  for (const input of form.elements.sampler) input.disabled = !isUsed;
  element("pool").disabled = !isUsed || chosen("sampler") !== "batch";
  element("sampler-hint").textContent = samplerHint();
  element("completions").classList.toggle("bordered", element("borders").checked);
  const known = facts();
  element("length").max = known?.maximum_new_tokens ?? 1024;
  element("facts").textContent = known
    ? `${known.chunk_size} ${known.chunk_size === 1 ? "token" : "tokens"} per chunk, `
      + `at most ${known.maximum_tokens.toLocaleString("en")} in all`
    : models.size > 0 ? "loading" : "";
  const url = new URL("v1", document.baseURI).href;
  element("code").textContent = (chosen("language") === "python" ? python : curl)(url, body(), needsKey);
}

function samplerHint() {
  if (facts()?.probabilities) return "This model has probabilities and needs no sampler.";
  if (temperature().value === 1) return "At temperature 1, each chunk is one sample.";
  return chosen("sampler") === "batch"
    ? "Chooses each chunk among a pool of candidates."
    : "Samples until enough chunks agree. It may fail where no chunk is likely.";
}

/** Whether all fields are in order; if not, shows which one is not. */
function isValid() {
  const wrong = [...form.elements].find((field) => field.willValidate && !field.checkValidity());
  if (!wrong) return true;
  element("settings").open = true;
  const name = wrong.labels?.[0]?.textContent ?? "A field";
  showError(`${name}: ${wrong.validationMessage}`);
  wrong.focus();
  return false;
}

// MARK: The request

async function generate() {
  if (running) return;
  showError("");
  if (element("fresh").checked) element("seed").value = crypto.getRandomValues(new Uint32Array(1))[0];
  if (!isValid()) return;
  refresh();
  const call = body();
  const completions = Array.from({ length: call.n ?? 1 }, (_, index) => new Completion(index, call.prompt));
  const meter = new Meter(facts()?.chunk_size ?? 1);
  element("completions").replaceChildren(...completions.map((completion) => completion.card));
  setRunning(new AbortController());
  try {
    const response = await send("v1/completions", { key: element("key").value, body: call, signal: running.signal });
    for await (const event of events(response)) {
      for (const { index, text, finish_reason: reason } of event.choices) {
        if (text) completions[index].append(text);
        if (reason) completions[index].end(reason);
        meter.addChunk();
      }
      if (event.usage) meter.finish(event.usage, event.calm);
    }
    element("status").textContent = `Done. ${meter.text}`;
  } catch (error) {
    if (error.name !== "AbortError") showFailure(error);
    for (const completion of completions) if (!completion.ending.textContent) completion.end("stopped");
    element("status").textContent = error.name === "AbortError" ? "Stopped." : "";
  } finally {
    meter.show();
    setRunning(null);
  }
}

/** Counts and times the chunks of a request. */
class Meter {
  constructor(chunkSize) {
    Object.assign(this, { chunkSize, chunks: 0, start: performance.now(), shown: 0, samples: "" });
    element("measurements").textContent = "";
  }

  addChunk() {
    this.chunks += 1;
    this.now = performance.now();
    this.first ??= this.now;
    if (this.now - this.shown > 250) this.show();
  }

  finish(usage, { chunks, samples } = {}) {
    this.tokens = usage.completion_tokens;
    if (chunks > 0 && samples > 0) this.samples = `${number(samples / chunks)} samples per chunk`;
  }

  show() {
    this.shown = this.now;
    element("measurements").textContent = this.text;
  }

  get text() {
    if (this.chunks === 0) return "";
    // The exact number comes with the end of the stream.
    const tokens = this.tokens ?? this.chunks * this.chunkSize;
    const sign = this.tokens === undefined ? "≈ " : "";
    const seconds = Math.max(this.now - this.start, 1) / 1000;
    const parts = [`${sign}${number(tokens)} tokens`, `${sign}${number(tokens / seconds)} tokens/s`];
    if (this.samples) parts.push(this.samples);
    parts.push(`first text after ${number(this.first - this.start)} ms`);
    return parts.join(" · ");
  }
}

const number = (value) => value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });

function setRunning(controller) {
  const isFocused = [element("generate"), element("stop")].includes(document.activeElement);
  running = controller;
  element("generate").disabled = controller !== null;
  element("stop").disabled = controller === null;
  element("completions").setAttribute("aria-busy", String(controller !== null));
  if (controller) element("status").textContent = "Generating.";
  // The button that was pressed is disabled: the other one takes its place for the keyboard.
  if (isFocused) element(controller ? "stop" : "generate").focus();
}

// MARK: Models, keys and errors

async function loadModels() {
  try {
    const response = await send("v1/models", { key: element("key").value });
    const before = element("model").value;
    models = new Map((await response.json()).data.map((model) => [model.id, model]));
    element("model").replaceChildren(...[...models.keys()].map((name) => new Option(name)));
    if (models.has(before)) element("model").value = before;
    if ([...models.values()].some((model) => !model.calm)) setTimeout(loadModels, 2000);
    showError("");
  } catch (error) {
    showFailure(error);
  }
  refresh();
}

function showFailure(error) {
  if (!(error instanceof Failure)) console.error(error);
  if (error.status === 401) {
    const isFirst = !needsKey;
    needsKey = true;
    element("key-field").hidden = false;
    // A link cannot send the key.
    element("document").hidden = true;
    element("key").focus();
    refresh();
    // Without a key so far, the field says all there is to say.
    if (isFirst && !element("key").value) return;
  }
  showError(error.message);
}

function showError(message) {
  element("error").textContent = message && message[0].toUpperCase() + message.slice(1);
}

// MARK: Events

form.addEventListener("submit", (event) => {
  event.preventDefault();
  generate();
});
form.addEventListener("input", refresh);
element("model").addEventListener("input", refresh);
element("stop").addEventListener("click", () => running?.abort());
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") running?.abort();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    generate();
  }
});
element("use-key").addEventListener("click", loadModels);
element("key").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  loadModels();
});
copies(element("copy-request"), () => element("code").textContent);
if (matchMedia("(max-width: 52rem)").matches) element("settings").open = false;
refresh();
loadModels();
