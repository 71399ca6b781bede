// The real answer of every GET route against its schema in /openapi.json; each says how old its data is
// and has an ETag. Every example of the description against its schema; each schema of an answer or of a
// body has one. Prints TAP lines without a plan, one for each path and each example.
//
//     node api_contract.mjs MODULES SOCKET OPENAPI_FILE [EXAMPLES]
//
// With EXAMPLES the answers become the examples of that file, each list cut to one item; an answer with
// an empty list replaces none.
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';

const [modules, socketPath, file, examplesFile] = process.argv.slice(2);
const Ajv = createRequire(`${modules}/`)('ajv/dist/2020').default;
const description = JSON.parse(readFileSync(file, 'utf8'));

function send(method, path, json) {
  return new Promise((resolve, reject) => {
    const headers = json === undefined ? {} : { 'Content-Type': 'application/json' };
    request({ socketPath, method, path, headers }, (response) => {
      let body = '';
      response.on('data', (part) => (body += part));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    })
      .on('error', reject)
      .end(json === undefined ? undefined : JSON.stringify(json));
  });
}
const get = (path) => send('GET', path);

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addFormat('date-time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
ajv.addSchema({ ...description, $id: 'api' });

// What a path or a required parameter may be asked for: the first row of a list, or what is configured.
const known = { symbol: 'BTC-USD', service: 'demo', name: 'restart' };
async function value(path, name) {
  if (known[name] !== undefined) return known[name];
  if (name !== 'id') return undefined;
  const list = path.slice(0, path.indexOf('/{id}'));
  const rows = Object.values(JSON.parse((await get(`${list}?limit=1`)).body)).find(Array.isArray);
  return rows?.[0]?.id;
}

// Without what is of the machine that ran the test.
const neutral = (text) => text.replace(/^\/.*\/openapi\.yaml$/, '/etc/nightdesk/nightdesk.yaml').replace(/^root$/, 'alice');
function cut(value) {
  if (typeof value === 'string') return neutral(value);
  if (Array.isArray(value)) return value.slice(0, 1).map(cut);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, cut(one)]));
}
const examples = examplesFile ? JSON.parse(readFileSync(examplesFile, 'utf8')) : {};

for (const [path, operations] of Object.entries(description.paths)) {
  const media = operations.get?.responses['200'].content['application/json'];
  if (!media?.schema?.$ref) continue;
  let url = path;
  const query = new URLSearchParams();
  for (const p of operations.get.parameters.filter((one) => one.required)) {
    const text = await value(path, p.name);
    if (p.in === 'path') url = url.replace(`{${p.name}}`, text);
    else query.set(p.name, text);
  }
  if (query.size > 0) url += `?${query}`;
  const { status, headers, body } = await get(url);
  const schema = { $ref: `api${media.schema.$ref}`, unevaluatedProperties: false };
  const validate = ajv.compile(schema);
  const answer = JSON.parse(body);
  const aged = typeof answer.data_age_seconds === 'number' && typeof answer.stale === 'boolean';
  const tagged = /^W\/"[0-9a-f]{16}"$/.test(headers.etag ?? '');
  const fits = status === 200 && validate(answer) && aged && tagged;
  const why = [aged ? '' : 'no age', tagged ? '' : 'no ETag'].filter(Boolean).concat((validate.errors ?? []).slice(0, 5)
    .map((e) => `${e.instancePath} ${e.message} ${e.params.unevaluatedProperty ?? ''}`));
  console.log(`${fits ? '' : 'not '}ok GET ${url}: ${status}${fits ? '' : ` ${why.join('; ')} ${
    body.slice(0, 200)}`}`);
  const isThin = Object.values(answer).some((one) => Array.isArray(one) && one.length === 0);
  if (status === 200 && !(isThin && examples[answer.schema])) examples[answer.schema] = cut(answer);
}
if (examplesFile) {
  const sorted = Object.fromEntries(Object.entries(examples).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(examplesFile, `${JSON.stringify(sorted, null, 1)}\n`);
}

// Each command that reads, as its example says: its data are what its schema says, and nothing more.
for (const [path, { post }] of Object.entries(description.paths)) {
  if (post?.['x-changes'] !== false) continue;
  const content = post.requestBody.content['application/json'];
  const { status, body } = await send('POST', path, content.example);
  const name = path.split('/').pop();
  const reply = status === 200 ? JSON.parse(body) : {};
  const checks = [
    [ajv.compile({ $ref: `api#/paths/${path.replaceAll('/', '~1')}/post/requestBody/content/application~1json/schema`,
      unevaluatedProperties: false }), content.example],
    ...(status === 200 ? [
      [ajv.compile({ allOf: [post.responses['200'].content['application/json'].schema].map((one) =>
        JSON.parse(JSON.stringify(one).replaceAll('"#/', '"api#/'))), unevaluatedProperties: false }), reply],
      [ajv.compile({ $ref: `api#/components/schemas/data.${name}`, unevaluatedProperties: false }), reply.data],
    ] : []),
  ];
  const why = checks.filter(([validate, value]) => !validate(value))
    .map(([validate]) => ajv.errorsText(validate.errors) +
      validate.errors.map((e) => ` ${e.params.unevaluatedProperty ?? ''}`).join(''));
  // What an example asks for may not be there, but the command is.
  const absent = status === 404 && !JSON.parse(body).error_code.startsWith('API_');
  const fits = why.length === 0 && (status === 200 || absent || name === 'ask');
  console.log(`${fits ? '' : 'not '}ok POST ${path} ${JSON.stringify(content.example)}: ${status}${
    fits ? '' : ` ${why.join('; ')} ${body.slice(0, 300)}`}`);
}

// A reply leads to its picture, as what the description says of that path.
{
  const { status, body } = await send('POST', '/api/v1/commands/chart', { args: 'equity 30d' });
  const { blocks, pictures } = JSON.parse(body);
  const picture = await get(pictures?.[0]?.href ?? '/');
  const media = Object.keys(description.paths['/api/v1/pictures/{id}'].get.responses['200'].content);
  const size = blocks?.find((b) => b.id === pictures?.[0]?.id)?.size_bytes;
  const fits = status === 200 && picture.status === 200 && picture.headers['content-type'] === media[0] &&
    picture.body.slice(1, 4) === 'PNG' && Number(picture.headers['content-length']) === size;
  console.log(`${fits ? '' : 'not '}ok the picture of /chart is at ${pictures?.[0]?.href ? 'its href' : 'no href'}${
    fits ? '' : `: ${picture.status} ${JSON.stringify(picture.headers)} ${body.slice(0, 300)}`}`);
}

const used = new Map();
const collect = (content) => {
  for (const { schema, examples: of } of Object.values(content ?? {})) {
    if (schema.$ref) used.set(schema.$ref, of?.example?.$ref);
  }
};
for (const operations of Object.values(description.paths)) {
  for (const { requestBody, responses } of Object.values(operations)) {
    collect(requestBody?.content);
    Object.values(responses).forEach((response) => collect(response.content));
  }
}
Object.values(description.components.responses).forEach((response) => collect(response.content));
for (const [schema, ref] of used) {
  const example = description.components.examples[ref?.split('/').pop()]?.value;
  const validate = ajv.compile({ $ref: `api${schema}`, unevaluatedProperties: false });
  const fits = example !== undefined && validate(example);
  console.log(`${fits ? '' : 'not '}ok the example of ${schema}${fits ? '' : `: ${
    example === undefined ? 'there is none' : ajv.errorsText(validate.errors)}`}`);
}
