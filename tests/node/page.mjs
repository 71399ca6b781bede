// Drives the page in Chromium over its DevTools protocol. Prints TAP lines without a plan.
//
//     node page.mjs MODULES CHROMIUM PORT TOKEN [FOLDER_FOR_SCREENSHOTS]
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

const [modules, program, port, token, shots] = process.argv.slice(2);
const base = `http://127.0.0.1:${port}`;
const profile = mkdtempSync(`${process.env.WORK ?? tmpdir()}/page.`);
const chromium = spawn(program, ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
  '--no-first-run', '--disable-background-networking', '--remote-debugging-port=0', `--user-data-dir=${profile}`,
  'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
const leave = (code) => {
  chromium.once('exit', () => {
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    process.exit(code);
  });
  chromium.kill('SIGKILL');
};
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const check = (ok, name, more = '') => console.log(`${ok ? '' : 'not '}ok ${name}${ok ? '' : `: ${more}`}`);

const address = await new Promise((resolve) => {
  let text = '';
  chromium.stderr.on('data', (part) => {
    text += part;
    const found = /ws:\/\/\S+/.exec(text);
    if (found) resolve(found[0]);
  });
});
const socket = new WebSocket(address);
await new Promise((resolve) => { socket.onopen = resolve; });
let next = 1;
const waiting = new Map(), complaints = [], requests = [];
let bytes = 0;
socket.onmessage = ({ data }) => {
  const { id, result, error, method, params } = JSON.parse(data);
  if (id) {
    waiting.get(id)(error ? { error } : result);
    waiting.delete(id);
  } else if (method === 'Runtime.exceptionThrown') {
    complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
  } else if (method === 'Log.entryAdded' && params.entry.level === 'error' && !/status of 4\d\d/.test(params.entry.text)) {
    complaints.push(params.entry.text);
  } else if (method === 'Network.loadingFinished') {
    bytes += params.encodedDataLength;
  } else if (method === 'Network.requestWillBeSent') {
    requests.push(`${params.request.method} ${new URL(params.request.url).pathname}`);
  }
};
let session;
const call = (method, params = {}) => new Promise((resolve) => {
  waiting.set(next, resolve);
  socket.send(JSON.stringify({ id: next++, method, params, sessionId: session }));
});
const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
session = (await call('Target.attachToTarget', { targetId, flatten: true })).sessionId;
for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await call(`${domain}.enable`);

async function run(expression) {
  const answer = await call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
  return answer.result?.value;
}
async function until(expression, ms = 8000) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(40)) {
    if (await run(`Boolean(${expression})`)) return true;
  }
  return false;
}
async function press(key, text) {
  const codes = { Tab: 9, Enter: 13, Escape: 27, ArrowDown: 40 };
  const event = { key, code: key, windowsVirtualKeyCode: codes[key], text: text ?? (key === 'Enter' ? '\r' : undefined) };
  await call('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
  await call('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
}
const type = (text) => call('Input.insertText', { text });
const size = (width, height) =>
  call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 500 });
const theme = (value) => call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }, { name: 'prefers-reduced-motion', value: 'reduce' }] });
async function shoot(name) {
  if (!shots) return;
  await sleep(300);
  writeFileSync(`${shots}/${name}.png`, Buffer.from((await call('Page.captureScreenshot')).data, 'base64'));
}
const api = async (path) => (await fetch(`${base}/api/v1/${path}`, { headers: { Authorization: `Bearer ${token}` } })).json();
async function part(name) {
  await run(`location.hash = '#${name}'`);
  await until(`document.title.startsWith(${JSON.stringify(name[0].toUpperCase() + name.slice(1))}) && !/Loading/.test(document.getElementById('content').textContent)`);
}
const axe = readFileSync(`${modules}/axe-core/axe.min.js`, 'utf8');
async function accessible() {
  await run(`if (!window.axe) { ${axe} }; 0`);
  return run(`axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.map((v) => v.id + ' ' + v.nodes[0].html.slice(0, 120)).join('; '))`);
}
const wide = () => run('document.documentElement.scrollWidth > innerWidth');

/* ------------------------------------------------------------------ */

await size(360, 740);
await call('Page.navigate', { url: `${base}/` });
check(await until("document.getElementById('token')"), 'the page asks for a token');
check(await run("document.activeElement.id === 'token'"), 'the field has the focus');
await type('nd_WRONG');
await press('Enter');
check(await until("document.querySelector('[role=alert] .notice')"), 'a wrong token is refused with what to do');
check((await accessible()) === '', 'axe: the login', await accessible());

await call('Network.emulateNetworkConditions', { offline: false, latency: 40, downloadThroughput: 1.25e6, uploadThroughput: 375000 });
await call('Emulation.setCPUThrottlingRate', { rate: 4 });
await call('Network.setCacheDisabled', { cacheDisabled: true });
bytes = 0;
const begin = Date.now();
await call('Page.navigate', { url: `${base}/` });
await until("document.getElementById('token')");
console.log(`# interactive after ${Date.now() - begin} ms with a processor 4 times slower and 10 Mbit/s, 40 ms away`);
await call('Emulation.setCPUThrottlingRate', { rate: 1 });
await call('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: -1 });
await type(token);
await press('Enter');
check(await until("document.getElementById('tiles')"), 'the token logs in, by keyboard alone');
check(await until("document.querySelector('.chart canvas')"), 'equity is drawn');
console.log(`# first view: ${bytes} bytes`);
check(bytes > 20000 && bytes < 150000, 'the first view is smaller than 150 KB', String(bytes));
check(await until("document.getElementById('live').textContent === 'live'"), 'the stream is live');

const before = await run("document.getElementById('tiles').textContent");
check(await until(`document.getElementById('tiles').textContent !== ${JSON.stringify(before)}`), 'the figures change by the stream');
await run("document.getElementById('line').focus()");
await type('pause');
await press('Enter');
check(await until("document.getElementById('dialog').open"), 'a command answers in a dialog');
await press('Escape');
check(await until("!document.getElementById('dialog').open"), 'Escape closes it');
check(await until("/Trading: paused/.test(document.getElementById('urgent').textContent)"), 'that trading is paused stands at the top, by the stream');

let alike = false;
for (let i = 0; i < 10 && !alike; i++) {
  await part('runs');
  await part('desk');
  alike = (await run("document.querySelectorAll('#positions tbody tr').length")) === (await api('state')).positions.length;
}
check(alike, 'as many positions as the API says');

requests.length = 0;
await run("document.getElementById('line').focus()");
await type('resta');
check(await until("document.querySelector('#hints li')"), 'completions appear');
await press('ArrowDown');
await press('Enter');
check((await run("document.getElementById('line').value")) === 'restart ', 'one is taken by keyboard');
await type('kept');
await press('Enter');
check(await until("document.getElementById('confirm')"), 'it asks before it restarts a service');
check(await run("document.activeElement.id === 'cancel'"), 'Cancel has the focus');
check((await accessible()) === '', 'axe: the dialog', await accessible());
await shoot('phone-dialog');
await press('Escape');
await until("!document.getElementById('confirm')");
await until("document.getElementById('dialog').open");
check(requests.some((r) => r.startsWith('DELETE /api/v1/confirmations/')), 'Escape declines');
await press('Escape');
await run("document.getElementById('line').focus()");
await type('restart kept');
await press('Enter');
await until("document.getElementById('confirm')");
await run("document.getElementById('confirm').click(); document.getElementById('confirm')?.click()");
await until("!document.getElementById('confirm')");
check(requests.filter((r) => r.startsWith('POST /api/v1/confirmations/')).length === 1, 'a double press confirms once');
let restarted = [];
for (let i = 0; i < 50 && !restarted.some((r) => r.state === 'done'); i++, await sleep(100)) restarted = (await api('runs?command=restart')).runs;
check(restarted.filter((r) => r.state === 'done').length === 1, 'the service was restarted once', JSON.stringify(restarted));
await run("document.getElementById('dialog').close()");

for (const [name, width, height] of [['phone', 360, 740], ['desktop', 1280, 900]]) {
  await size(width, height);
  for (const colours of ['light', 'dark']) {
    await theme(colours);
    for (const one of ['desk', 'chart', 'decisions', 'alerts', 'services', 'runs']) {
      await part(one);
      if (one === 'chart') await until("document.querySelector('.chart canvas')");
      if (one === 'decisions' && colours === 'light') {
        await run("document.querySelector('button.row').click()");
        check(await until("document.querySelector('#content h3')"), `${name}: a decision is explained agent by agent`);
      }
      await shoot(`${name}-${colours}-${one}`);
      const found = (width === 360 && colours === 'light') || one === 'desk' ? await accessible() : '';
      check(found === '' && !(await wide()), `${name}, ${colours}, ${one}: axe finds nothing, and nothing is too wide`, `${found} ${await run('document.documentElement.scrollWidth')}`);
    }
  }
}
await part('desk');
const equal = `(async () => {
  const answer = await (await fetch('/api/v1/state', {headers: {Authorization: 'Bearer ${token}'}})).json();
  const shown = answer.account.cash.toLocaleString('en', {minimumFractionDigits: 2, maximumFractionDigits: 2});
  return document.getElementById('tiles').textContent.includes(shown);
})()`;
let same = false;
for (let i = 0; i < 100 && !same; i++) same = await run(equal);
check(same, 'the figures are those of the API');
check(complaints.length === 0, 'no error and no violation of the policy', complaints.join('; '));
await run("sessionStorage.setItem('nightdesk.token', 'nd_GONE')");
await run("location.hash = '#runs'");
check(await until("document.getElementById('token') && document.querySelector('[role=alert] .notice')"), 'a token that ends leads to the login, with the reason');
leave(0);
