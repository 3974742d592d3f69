// The server's interface: requests, and the events of a stream.

/** A refusal by the server, or a connection that failed. */
export class Failure extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** Sends a request; throws a Failure for any response but a success. */
export async function send(path, { key, body, signal } = {}) {
  const headers = {};
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body) headers["Content-Type"] = "application/json";
  const options = { headers, signal, cache: "no-store", credentials: "omit" };
  if (body) Object.assign(options, { method: "POST", body: JSON.stringify(body) });
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The server does not answer.");
  }
  if (response.ok) return response;
  const text = await response.text();
  let message = `The server answered with status ${response.status}.`;
  try {
    message = JSON.parse(text).error.message;
  } catch {
    // A response that is not the server's own, such as that of a proxy.
  }
  throw new Failure(message, response.status);
}

/** The events of a stream as objects, up to `[DONE]`; throws a Failure for an event with an error. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new Failure("The connection was closed before the end of the text.");
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        if (!part.startsWith("data: ")) continue;
        const data = part.slice("data: ".length);
        if (data === "[DONE]") return;
        const event = JSON.parse(data);
        if (event.error) throw new Failure(event.error.message);
        yield event;
      }
    }
  } catch (error) {
    if (error.name === "AbortError" || error instanceof Failure) throw error;
    throw new Failure("The connection was closed before the end of the text.");
  } finally {
    reader.cancel().catch(() => {});
  }
}
