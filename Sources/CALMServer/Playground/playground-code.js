// A request as a command line and as a program.

/** The request as a command for curl. */
export function curl(url, body, needsKey) {
  const members = Object.entries(body).map(([name, value]) => `    ${json(name)}: ${json(value)}`);
  const quoted = `{\n${members.join(",\n")}\n  }`.replaceAll("'", "'\\''");
  const lines = [`curl -N ${url}/completions`, "-H 'Content-Type: application/json'"];
  if (needsKey) lines.push('-H "Authorization: Bearer $CALM_API_KEY"');
  lines.push(`-d '${quoted}'`);
  return lines.join(" \\\n  ");
}

/** The request as a program with OpenAI's Python client: a stream of one completion, or several whole ones. */
export function python(url, body, needsKey) {
  const { stream_options: ignored, stream, calm, ...fields } = body;
  const isStream = (body.n ?? 1) === 1;
  const names = Object.entries(fields).map(([name, value]) => `    ${name}=${literal(value)},`);
  if (isStream) names.push("    stream=True,");
  if (calm) names.push(`    extra_body=${literal({ calm })},`);
  return [
    ...(needsKey ? ["import os", ""] : []),
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${literal(url)}, api_key=${needsKey ? 'os.environ["CALM_API_KEY"]' : '"none"'})`,
    `${isStream ? "stream" : "response"} = client.completions.create(`,
    ...names,
    ")",
    ...(isStream
      ? ["for event in stream:", '    print(event.choices[0].text, end="", flush=True)']
      : ["for choice in response.choices:", "    print(choice.text)"]),
  ].join("\n");
}

const json = JSON.stringify;

/** A value as a literal of Python. */
function literal(value) {
  if (value === 1 / 3) return "1 / 3";
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null) return "None";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return json(value);
  return `{${Object.entries(value).map(([key, part]) => `${literal(key)}: ${literal(part)}`).join(", ")}}`;
}
