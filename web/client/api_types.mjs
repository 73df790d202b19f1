// Writes the TypeScript types of the HTTP API: one for each schema of docs/openapi.json.

const PRIMITIVES = { string: "string", integer: "number", number: "number", boolean: "boolean", null: "null" };

/** Return the TypeScript source of all schemas of an OpenAPI document. */
export function writeTypes(document) {
  const written = Object.entries(document.components.schemas).map(([name, schema]) => declare(name, schema));
  return ["// Made by `make web` from docs/openapi.json; do not edit.", ...written, ""].join("\n\n");
}

function declare(name, schema) {
  return `${comment(schema.description)}export type ${name} = ${typeOf(schema)};`;
}

/** Return the type of one schema (JSON Schema 2020-12, as far as the document uses it). */
function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if ("const" in schema) return JSON.stringify(schema.const);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map(typeOf))].join(" | ");
  if (schema.allOf) return schema.allOf.map((part) => `(${typeOf(part)})`).join(" & ");
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type })).join(" | ");
  if (schema.type === "array") return `readonly (${typeOf(schema.items ?? {})})[]`;
  if (schema.type === "object") return typeOfObject(schema);
  return PRIMITIVES[schema.type] ?? "unknown";
}

function typeOfObject({ properties, required = [], additionalProperties }) {
  const others = additionalProperties && (additionalProperties === true ? "unknown" : typeOf(additionalProperties));
  if (!properties) return `{ readonly [name: string]: ${others || "unknown"} }`;
  const fields = Object.entries(properties).map(([name, schema]) => {
    const mark = required.includes(name) ? "" : "?";
    return `  ${comment(schema.description, "  ")}readonly ${JSON.stringify(name)}${mark}: ${typeOf(schema)};`;
  });
  // the index signature of an object with fields of its own must admit them too
  return `{\n${fields.join("\n")}\n${others ? "  readonly [name: string]: unknown;\n" : ""}}`;
}

function comment(text, indent = "") {
  return text ? `/** ${text.replaceAll("*/", "*\u200b/")} */\n${indent}` : "";
}
