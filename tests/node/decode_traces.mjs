// Reads files of OTLP/HTTP in JSON with the message types of OpenTelemetry, and prints one line a span:
// trace, id, parent or "-", kind, nanoseconds, name and tags. decode_traces.mjs FILE...
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(process.env.NODE_MODULES_OF + "/");
const root = require("@opentelemetry/otlp-transformer/build/src/generated/root.js");
const Request = root.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

// JSON of OTLP has ids in hex, where protobuf's own JSON has base64.
function bytesOf(key, value) {
  if (!["traceId", "spanId", "parentSpanId"].includes(key)) return value;
  const length = key === "traceId" ? 32 : 16;
  if (!new RegExp(`^[0-9a-f]{${length}}$`).test(value)) throw new Error(`${key}: ${value}`);
  return Buffer.from(value, "hex").toString("base64");
}

const hex = (bytes) => (bytes && bytes.length ? Buffer.from(bytes).toString("hex") : "-");
for (const file of process.argv.slice(2)) {
  const tree = JSON.parse(readFileSync(file, "utf8"), bytesOf);
  const wrong = Request.verify(Request.fromObject(tree));
  if (wrong) throw new Error(`${file}: ${wrong}`);
  // Through the wire form and back: what a collector would store.
  const request = Request.decode(Request.encode(Request.fromObject(tree)).finish());
  for (const resource of request.resourceSpans) {
    for (const scope of resource.scopeSpans) {
      for (const span of scope.spans) {
        const took = BigInt(span.endTimeUnixNano.toString()) - BigInt(span.startTimeUnixNano.toString());
        const tags = span.attributes.map((a) => `${a.key}=${a.value.stringValue}`).join(" ");
        console.log(hex(span.traceId), hex(span.spanId), hex(span.parentSpanId), span.kind, took.toString(),
          `"${span.name}"`, tags);
      }
    }
  }
}
