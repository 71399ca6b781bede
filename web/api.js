// The API: one bearer token in the tab's session storage, and errors that say what to do.
const KEY = 'nightdesk.token';
const READ_MS = 15000, ACT_MS = 120000;
let onLost = () => {}, kept = '';

try { kept = sessionStorage.getItem(KEY) ?? ''; } catch { /* a frame may have no storage */ }
export const token = () => kept;
export function setToken(text) {
  kept = text;
  try {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch { /* then it is forgotten at a reload */ }
}
export const whenLost = (fn) => { onLost = fn; };
// One for each press of a button, so that a press that is sent twice runs once.
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)),
  (byte) => byte.toString(16).padStart(2, '0')).join('');

export class Problem extends Error {
  constructor(body, status) {
    super(body.message ?? body.title ?? `status ${status}`);
    Object.assign(this, { cause: '', remediation: '', context: '' }, body, { status });
  }
}

const unreachable = () => new Problem({ message: 'nightdesk cannot be reached',
  cause: 'The connection failed: the network, a proxy or nightdesk itself is down.',
  remediation: 'Check the connection. If this goes on, look at the machine: nightdesk status.' }, 0);

async function request(method, path, body, key) {
  const headers = {};
  if (token()) headers.Authorization = `Bearer ${token()}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (key) headers['Idempotency-Key'] = key;
  try {
    return await fetch(`/api/v1/${path}`, {
      method, headers, cache: 'no-store', credentials: 'omit',
      signal: AbortSignal.timeout(method === 'GET' || path === 'stream/ticket' ? READ_MS : ACT_MS),
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw unreachable();
  }
}

async function send(method, path, body, key) {
  const response = await request(method, path, body, key);
  let data = {};
  try {
    const text = await response.text();
    data = text ? JSON.parse(text) : {};
  } catch {
    throw new Problem({ message: 'this is not the answer of nightdesk',
      cause: 'Something between this page and nightdesk has answered in its place.',
      remediation: 'Look at the proxy.' }, response.status);
  }
  return { response, data };
}

function refuse(data, status, used) {
  const problem = new Problem(data, status);
  if (status === 401 && used !== '' && used === token()) onLost(problem);
  throw problem;
}

export async function get(path) {
  const used = token();
  const { response, data } = await send('GET', path);
  if (!response.ok) refuse(data, response.status, used);
  return data;
}

// The picture of a reply, from its href. An <img> alone could not send the token.
export async function picture(href) {
  const used = token();
  const response = await request('GET', href.replace('/api/v1/', ''));
  if (!response.ok) refuse(await response.json().catch(() => ({})), response.status, used);
  return response.blob().catch(() => { throw unreachable(); });
}

// For commands: the reply of any status that has one, with its status.
export async function act(method, path, body, key) {
  const used = token();
  const { response, data } = await send(method, path, body, key);
  if (data.schema?.startsWith('nightdesk.reply/')) return { ...data, status: response.status };
  if (!response.ok) refuse(data, response.status, used);
  return { ...data, status: response.status };
}
