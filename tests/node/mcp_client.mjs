// A client of the Model Context Protocol, of either generation, over either transport, uses all that
// nightdesk serves. Every result is checked against the schema of its tool.
//
//     node mcp_client.mjs MODULES sdk|legacy|modern URL TOKEN
//     node mcp_client.mjs MODULES sdk|legacy|modern stdio COMMAND [ARGUMENT]…
//
// With EVERY_TOOL=1 in the environment it calls every tool, else a few.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const [modules, generation, where, ...rest] = process.argv.slice(2);
const load = createRequire(`${modules}/`);
const old = generation === 'sdk';
const library = old
  ? {
      ...load('@modelcontextprotocol/sdk/client/index.js'),
      ...load('@modelcontextprotocol/sdk/client/streamableHttp.js'),
      ...load('@modelcontextprotocol/sdk/client/stdio.js'),
    }
  : {
      ...load('@modelcontextprotocol/client'),
      ...load('@modelcontextprotocol/client/stdio'),
    };

const transport =
  where === 'stdio'
    ? new library.StdioClientTransport({ command: rest[0], args: rest.slice(1), stderr: 'inherit' })
    : new library.StreamableHTTPClientTransport(new URL(where), {
        requestInit: { headers: { Authorization: `Bearer ${rest[0]}` } },
      });
const client = new library.Client(
  { name: 'nightdesk-test', version: '1.0.0' },
  old ? {} : { versionNegotiation: { mode: generation === 'modern' ? 'auto' : 'legacy' } },
);
await client.connect(transport);
if (!old) {
  assert.equal(
    client.getNegotiatedProtocolVersion(),
    generation === 'modern' ? '2026-07-28' : '2025-11-25',
  );
}
assert.equal(client.getServerVersion().name, 'nightdesk');
assert.match(client.getInstructions(), /only read/);

const { tools } = await client.listTools();
const named = (name) => tools.find((tool) => tool.name === name);
assert.ok(tools.length > 20);
assert.deepEqual(tools.map((tool) => tool.name), (await client.listTools()).tools.map((t) => t.name));
for (const tool of tools) {
  assert.equal(tool.annotations.readOnlyHint, tool.name !== 'propose_command');
  assert.equal(tool.annotations.destructiveHint, false);
  assert.ok(tool.title && tool.description && tool.outputSchema);
}
const Ajv = load('ajv/dist/2020').default;
const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
// The schemas are open, so that a later version may add members; here each member must be described.
// A list that was cut has its length beside it.
function closed(schema, isPart) {
  if (typeof schema !== 'object' || schema === null) return schema;
  const each = (map, part) =>
    Object.fromEntries(Object.entries(map).map(([key, one]) => [key, closed(one, part)]));
  const copy = { ...schema };
  if (copy.properties) copy.properties = each(copy.properties, false);
  if (copy.$defs) copy.$defs = each(copy.$defs, true);
  if (copy.items) copy.items = closed(copy.items, false);
  if (copy.additionalProperties) copy.additionalProperties = closed(copy.additionalProperties, false);
  if (copy.allOf) copy.allOf = copy.allOf.map((one) => closed(one, true));
  if (!isPart && (copy.properties || copy.allOf || copy.$ref)) {
    copy.patternProperties = { '_in_all$': { type: 'integer' } };
    copy.unevaluatedProperties = false;
  }
  return copy;
}
const fits = new Map();
function check(name, result) {
  if (!fits.has(name)) fits.set(name, ajv.compile(closed(named(name).outputSchema, false)));
  const validate = fits.get(name);
  assert.ok(validate(result.structuredContent), `${name}: ${ajv.errorsText(validate.errors)}`);
}
assert.equal(named('restart'), undefined);
assert.equal(named('ask'), undefined);

// Each tool: without arguments, and what needs some with each choice, or with what there is here.
async function call(name, args) {
  const result = await client.callTool({ name, arguments: args });
  assert.ok(!result.isError, `${name} ${JSON.stringify(args)}: ${result.content[0].text}`);
  assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent);
  check(name, result);
  assert.ok(result.structuredContent.data_age_seconds >= 0, name);
  assert.equal(result.structuredContent.stale, false);
  return result.structuredContent.data;
}
if (process.env.EVERY_TOOL) {
  const [incident] = (await call('incidents', { what: 'all' })).incidents;
  const known = { service: ['gone'], id: [incident.id] };
  for (const tool of tools.filter((t) => t.name !== 'propose_command')) {
    const [needed] = tool.inputSchema.required;
    const values = needed && (tool.inputSchema.properties[needed].enum ?? known[needed]);
    assert.ok(!needed || values, `${tool.name} needs ${needed}, for which the test has no value`);
    for (const value of values ?? [undefined]) {
      await call(tool.name, needed ? { [needed]: value } : {});
    }
  }
  for (const [name, args] of [['why', { what: 'd1' }], ['performance', { by: 'system' }],
    ['performance', { by: 'agent' }], ['services', { service: 'gone' }], ['runs', { run: 1 }],
    ['alerts', { id: 1 }], ['orders', { count: 3 }], ['logs', { service: 'kept', lines: 'patterns' }]]) {
    await call(name, args);
  }
} else {
  for (const name of ['status', 'services', 'why', 'risk']) await call(name, {});
}
const trades = await client.callTool({ name: 'trades', arguments: { count: 3 } });
assert.ok(trades.structuredContent.data.trades.length <= 3);
assert.equal(typeof trades.structuredContent.data.trades[0].pnl, 'number');

// What is wrong is a result that a model can correct; an unknown tool is an error.
const wrong = await client.callTool({ name: 'trades', arguments: { count: 5000 } });
assert.ok(wrong.isError);
assert.equal(wrong.structuredContent.error.code, 'COMMAND_ARG_INVALID');
assert.match(wrong.structuredContent.error.context, /5000/);
check('trades', wrong);
const extra = await client.callTool({ name: 'trades', arguments: { nonsense: 1 } });
assert.ok(extra.isError);
for (const name of ['nonsense', 'restart', 'emergency_stop', 'ask', '../status', 'otp']) {
  await assert.rejects(client.callTool({ name, arguments: {} }), /-32602|Unknown tool|not found/);
}

const { resources } = await client.listResources();
for (const resource of resources) {
  const [content] = (await client.readResource({ uri: resource.uri })).contents;
  assert.equal(content.mimeType, resource.mimeType);
  assert.ok(content.text.length > 0, resource.uri);
  if (content.mimeType === 'application/json') JSON.parse(content.text);
}
const state = await client.readResource({ uri: 'nightdesk://state' });
assert.match(JSON.parse(state.contents[0].text).schema, /^nightdesk\.state\//);
const summary = await client.readResource({ uri: 'nightdesk://summary' });
assert.ok(summary.contents[0].text.length < 10_000);
assert.match(JSON.parse(summary.contents[0].text).schema, /^nightdesk\.summary\//);
const report = await client.readResource({ uri: 'nightdesk://report' });
assert.match(JSON.parse(report.contents[0].text).schema, /^nightdesk\.audit\//);
const { resourceTemplates } = await client.listResourceTemplates();
assert.ok(resourceTemplates.some((t) => t.uriTemplate === 'nightdesk://runs/{id}'));
for (const uri of ['nightdesk://nothing', 'nightdesk://docs/../README', 'file:///etc/passwd',
  'nightdesk://runs/999999999', 'nightdesk://runs/1;2']) {
  await assert.rejects(client.readResource({ uri }), /-32602|not found/i, uri);
}

const { prompts } = await client.listPrompts();
assert.ok(prompts.some((prompt) => prompt.name === 'morning_report'));
const prompt = await client.getPrompt({ name: 'investigate_alert', arguments: { id: '12' } });
assert.match(prompt.messages[0].content.text, /nightdesk:\/\/alerts\/12/);
await assert.rejects(client.getPrompt({ name: 'investigate_alert' }), /-32602|id/);
await assert.rejects(client.getPrompt({ name: 'investigate_alert', arguments: { id: 'a\nb' } }));

// Many at once, each with its own answer.
const many = await Promise.all(
  Array.from({ length: 20 }, (_, i) =>
    client.callTool({ name: 'trades', arguments: { count: (i % 3) + 1 } }),
  ),
);
many.forEach((result, i) =>
  assert.ok(result.structuredContent.data.trades.length <= (i % 3) + 1),
);
await client.close();
