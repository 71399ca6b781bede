// Drives the page in Chromium over its DevTools protocol. Prints TAP lines without a plan.
//
//     node page.mjs MODULES CHROMIUM PORT TOKEN [FOLDER_FOR_SCREENSHOTS]
//
// In the environment: WORK, with the files of fake_chat; BOT and TOTP, two secrets of the configuration;
// DAEMON, the process that serves the page, and RUN, the command line that starts it again.
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { appendFileSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';

const [modules, program, port, token, shots] = process.argv.slice(2);
const { WORK, BOT, TOTP, DAEMON, RUN } = process.env;
const base = `http://127.0.0.1:${port}`;
const profile = mkdtempSync(`${WORK ?? tmpdir()}/page.`);
const chromium = spawn(program, ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
  '--no-first-run', '--disable-background-networking', '--remote-debugging-port=0', `--user-data-dir=${profile}`,
  'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
let daemon = null;
process.on('exit', () => {
  daemon?.kill('SIGKILL');
  chromium.kill('SIGKILL');
});
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
async function until(expression, ms = 40000) {
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
const ask = (path, body, bearer = token) => fetch(`${base}/api/v1/${path}`, { method: body ? 'POST' : 'GET',
  headers: { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' }, body: body && JSON.stringify(body) });
const api = async (path, body) => (await ask(path, body)).json();
async function enter(line) {
  await run("document.getElementById('line').focus()");
  await type(line);
  await press('Enter');
}
async function part(name) {
  await run(`location.hash = '#${name}'`);
  await until(`document.title.startsWith(${JSON.stringify(name[0].toUpperCase() + name.slice(1))}) && !/Loading/.test(document.getElementById('content').textContent)`);
}
const axe = readFileSync(`${modules}/axe-core/axe.min.js`, 'utf8');
async function accessible(rules) {
  await run(`if (!window.axe) { ${axe} }; 0`);
  return run(`axe.run(document, {resultTypes: ['violations']${rules ? `, runOnly: ${JSON.stringify(rules)}` : ''}}).then((r) => r.violations.map((v) => v.id + ' ' + v.nodes[0].html.slice(0, 120)).join('; '))`);
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
const explained = new URL(await run("document.querySelector('.notice a').href"));
check((await (await fetch(explained)).text()).includes(`<h3 id="${explained.hash.slice(1)}">`), 'the error leads to its description', explained.href);

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
for (const end = Date.now() + 40000; Date.now() < end && !alike;) {
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
for (const end = Date.now() + 40000; Date.now() < end && !restarted.some((r) => r.state === 'done'); await sleep(50)) restarted = (await api('runs?command=restart')).runs;
check(restarted.filter((r) => r.state === 'done').length === 1, 'the service was restarted once', JSON.stringify(restarted));
await run("document.getElementById('dialog').close()");

/* The steps of a run go on below its row while it is watched, and the list is read again meanwhile. */
check(!(await run("document.querySelector('#nav a[href=\"#audit\"]')")), 'who may not read the audit log is not led there');
const { confirmation } = await api('commands/restart', { args: 'kept' });
await part('runs');
await run("window.first = document.querySelector('button.row'); first.focus(); first.click()");
check(await until("/No step/.test(document.querySelector('.more:not([hidden])').textContent)"), 'a run that waits has no steps yet');
await ask(confirmation.href.replace('/api/v1/', ''), {});
check(await until("/restart: done.*wait_healthy: done/.test(document.querySelector('.more:not([hidden])')?.textContent)"), 'its steps go on live');
check(await until("!first.isConnected && /done/.test(document.querySelector('button.row').closest('tr').textContent)"), 'the list is read again by the stream');
check(await run("document.querySelector('button.row').getAttribute('aria-expanded') === 'true' && document.activeElement.id === first.id"), 'the run stays unfolded, and the focus where it was');
check(await run("document.querySelector('.more:not([hidden])').offsetWidth > 0.9 * document.querySelector('table').offsetWidth"), 'its steps have the width of the table');
await shoot('phone-run');
await run("document.querySelector('button.row').click()");
check(await until("document.querySelector('.more').closest('tr').hidden"), 'it is folded again');

for (const [name, width, height, colours] of [['phone', 360, 740, 'light'], ['desktop', 1280, 900, 'dark']]) {
  await size(width, height);
  await theme(colours);
  for (const one of ['desk', 'chart', 'decisions', 'alerts', 'services', 'runs']) {
    await part(one);
    if (one === 'chart') await until("document.querySelector('.chart canvas')");
    if (one === 'decisions' && name === 'phone') {
      await run("document.querySelector('button.row').click()");
      check(await until("document.querySelector('#content h3')"), 'a decision is explained agent by agent');
    }
    await shoot(`${name}-${one}`);
    const found = await accessible(name === 'phone' ? null : ['color-contrast']);
    check(found === '' && !(await wide()), `${name}, ${colours}, ${one}: axe finds nothing, and nothing is too wide`, `${found} ${await run('document.documentElement.scrollWidth')}`);
  }
  await enter('chart equity 30d');
  check(await until("document.querySelector('#dialog[open] img')?.naturalWidth > 300"), `${name}: the picture of a reply is shown`, await run("document.getElementById('dialog').textContent"));
  const shape = await run(`(() => {
    const img = document.querySelector('#dialog img'), dialog = document.getElementById('dialog');
    return { alt: img.alt, src: img.src, width: img.offsetWidth, of: dialog.clientWidth, needs: dialog.scrollWidth };
  })()`);
  check(/^Equity/.test(shape.alt) && shape.needs <= shape.of && shape.width > 0.7 * shape.of && shape.src.startsWith('blob:'), `${name}: with its title as text, as wide as the dialog`, JSON.stringify(shape));
  check((await accessible()) === '' && !(await wide()), `${name}: axe: the picture`, await accessible());
  await shoot(`${name}-picture`);
  await run("window.gone = document.querySelector('#dialog img').src; document.getElementById('dialog').close()");
  check(await run("fetch(gone).then(() => false, () => true)"), `${name}: it is forgotten when the dialog closes`);
}
complaints.splice(0, complaints.length, ...complaints.filter((text) => !/blob:/.test(text))); /* of asking for it */
await run("window.real = window.fetch; window.fetch = (url, more) => real(String(url).replace(/pictures\\/.*/, 'pictures/of-yesterday.png'), more)");
await enter('chart equity 30d');
check(await until("/picture is no longer kept[^]*Run the command again/.test(document.querySelector('#dialog[open] figure')?.textContent)"), 'a picture that has expired says what to do', await run("document.getElementById('dialog').textContent"));
await run("window.fetch = real; delete window.real; document.getElementById('dialog').close()");
await enter('export trades');
check(await until("/trades.csv: run the command in the chat/.test(document.getElementById('dialog').textContent)"), 'another file is not shown', await run("document.getElementById('dialog').textContent"));
await run("document.getElementById('dialog').close()");
await part('desk');
const equal = `(async () => {
  const answer = await (await fetch('/api/v1/state', {headers: {Authorization: 'Bearer ${token}'}})).json();
  const shown = answer.account.cash.toLocaleString('en', {minimumFractionDigits: 2, maximumFractionDigits: 2});
  return document.getElementById('tiles').textContent.includes(shown);
})()`;
let same = false;
for (const end = Date.now() + 40000; Date.now() < end && !same;) same = await run(equal);
check(same, 'the figures are those of the API');
check(complaints.length === 0, 'no error and no violation of the policy', complaints.join('; '));

check((await fetch(await run("document.querySelector('#nav a[target]').href"))).status === 200, 'there is a link to the description of the API');
await run("document.getElementById('line').focus()");
await type('trades 5000');
await press('Enter');
check(await until("/5000[^]*Usage: .trades/.test(document.getElementById('dialog').textContent)"), 'a command that fails shows its error and the rest of its reply');
await press('Escape');

/* nightdesk stops, and starts again, as another build of the same version. */
await run("window.real = window.fetch; window.fetch = async (url, more) => (url === '/web/app.js' ? new Response('', { headers: { ETag: '\"other\"' } }) : real(url, more))");
check(!(await run("document.getElementById('reload')")), 'the page is of the version that serves it');
process.kill(Number(DAEMON), 'SIGKILL');
check(await until("/^not live for \\d+ s$/.test(document.getElementById('live').textContent)"), 'the page says that it is not live, and for how long');
daemon = spawn('sh', ['-c', `exec ${RUN}`], { stdio: ['ignore', openSync(`${WORK}/log`, 'a'), 'ignore'] });
check(await until("document.getElementById('live').textContent === 'live'"), 'and that it is live again');
check(await until("/nightdesk has another build now/.test(document.getElementById('urgent').textContent)"), 'and that nightdesk was updated');
await shoot('desktop-updated');
await run("document.getElementById('reload').click()");
check(await until("document.getElementById('tiles') && !window.real && document.getElementById('live').textContent === 'live' && !document.getElementById('reload')"), 'it is loaded again at a press');

/* In and out. */
const shown = () => run("document.querySelector('[role=alert] .notice')?.textContent ?? ''");
const loggedOut = "document.getElementById('token') && !document.getElementById('nav').checkVisibility()";
async function open(hash) {
  await call('Page.navigate', { url: 'about:blank' });
  await call('Page.navigate', { url: `${base}/#${hash}` });
}
const stays = () => run("location.href === '/' || location.href === location.origin + '/'");
await run("document.getElementById('logout').click()");
check(await until(loggedOut) && (await shown()) === '' && (await ask('whoami')).status === 200, 'who typed a token logs out, and the token is still valid');

async function link() {
  const codes = () => [...readFileSync(`${WORK}/sent`, 'utf8').matchAll(/#code=(\w+)/g)].map((found) => found[1]);
  const had = codes().length;
  appendFileSync(`${WORK}/say`, 'send 1001 /web\n');
  for (const end = Date.now() + 40000; Date.now() < end && codes().length === had;) await sleep(50);
  return codes().at(-1);
}
const code = await link();
await open(`code=${code}`);
check(await until("document.getElementById('tiles') && document.getElementById('logout').textContent === 'Log out alice'"), 'the link of /web logs in as the person who asked for it');
check(await stays(), 'its code is gone from the address');
await part('audit');
check(await run("/session.opened/.test(document.querySelector('table').textContent)"), 'an admin reads the audit log, with this login');
await size(360, 740);
await shoot('phone-audit');
const audit = await accessible();
check(audit === '' && !(await wide()), 'axe: the audit log', audit);

function otp() {
  const bits = [...TOTP].map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30000)));
  const mac = createHmac('sha1', key).update(time).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1000000).padStart(6, '0');
}
await run("document.getElementById('line').focus()");
await type('token_revoke spare');
await press('Enter');
await until("document.getElementById('confirm')");
await run("document.getElementById('confirm').click()");
check(await until("document.activeElement.id === 'otp'"), 'the second factor is asked for');
await press('Enter');
check(await run("document.getElementById('otp').matches(':invalid') && !document.getElementById('confirm').disabled"), 'without a code nothing is sent');
await type(String((Number(otp()) + 500000) % 1000000).padStart(6, '0'));
await press('Enter');
check(await until("/not accepted/.test(document.querySelector('#dialog [role=alert]')?.textContent)"), 'a wrong code is refused, and asked for again');
await shoot('phone-code');
check((await accessible()) === '', 'axe: the code', await accessible());
await type(otp());
await press('Enter');
check(await until("/spare is revoked/.test(document.getElementById('dialog-title').textContent)"), 'the right one is accepted');
await press('Escape');

const bearer = await run("sessionStorage.getItem('nightdesk.token')");
check((await ask('whoami', null, bearer)).status === 200, 'the session is valid');
await run("document.getElementById('logout').click()");
check(await until(loggedOut) && (await shown()) === '', 'logging out leads to the login');
check((await ask('whoami', null, bearer)).status === 401, 'and ends the session at nightdesk');
await open(`code=${code}`);
check(await until("document.querySelector('[role=alert] .notice')") && /does not log in.*used.*\/web/.test(await shown()), 'the link works once: then the login says why', await shown());
check(await stays(), 'also then the code is gone from the address');

function launch(key, id, name, query = 'AAE') {
  const fields = { auth_date: String(Math.floor(Date.now() / 1000)), query_id: query, user: JSON.stringify({ id, first_name: name }) };
  const secret = createHmac('sha256', 'WebAppData').update(key).digest();
  const text = Object.entries(fields).map(([field, value]) => `${field}=${value}`).join('\n');
  const data = new URLSearchParams({ ...fields, hash: createHmac('sha256', secret).update(text).digest('hex') });
  return `tgWebAppData=${encodeURIComponent(data)}&tgWebAppVersion=8.0&tgWebAppPlatform=web`;
}
await open(launch('987654321:another-bot', 1001, 'Alice'));
check(await until("document.querySelector('[role=alert] .notice')") && /data of the Mini App is refused.*What to do/.test(await shown()), 'forged data of the Mini App are refused, with what to do', await shown());
check(await stays() && !(await run("sessionStorage.getItem('nightdesk.token')")), 'they are gone from the address');
await shoot('phone-forged');
const signed = launch(BOT, 1001, 'Alice');
await run(`location.hash = ${JSON.stringify(`#${signed}`)}`);
check(await until("document.getElementById('tiles') && document.getElementById('logout').textContent === 'Log out alice'"), 'what Telegram has signed logs in, also in a page that is open');
check(await stays(), 'it is gone from the address');
await open(signed);
check(await until("document.getElementById('tiles')"), 'the session lasts when Telegram loads the frame again');
await run("document.getElementById('logout').click()");
await until(loggedOut);
await open(signed);
check(await until("document.querySelector('[role=alert] .notice')") && /cannot be used any more.*they were used/.test(await shown()), 'but the same data log in once', await shown());

/* A command of two people. */
await open(launch(BOT, 1001, 'Alice', 'AAF'));
await until("document.getElementById('tiles') && document.getElementById('logout').textContent === 'Log out alice'");
await run("document.getElementById('line').focus()");
await type('backup');
await press('Enter');
check(await until("/Another person has to approve it: .*bob/.test(document.getElementById('dialog').textContent)"), 'a command of two people waits for the other');
check(await run("!document.getElementById('confirm') && document.activeElement.id === 'cancel'"), 'who asked can only cancel it');
await shoot('desktop-approve');
await press('Escape');
let declined = [];
for (const end = Date.now() + 40000; Date.now() < end && declined[0]?.state !== 'cancelled'; await sleep(50)) declined = (await api('runs?command=backup')).runs;
check(declined.length === 1 && declined[0].state === 'cancelled', 'which Escape does', JSON.stringify(declined));
await run("document.getElementById('dialog').close(); document.getElementById('line').focus()");
await type('backup');
await press('Enter');
await until("/Another person has to approve it/.test(document.getElementById('dialog').textContent)");
check(await until("/alice asks for backup.*Another person has to approve it/.test(document.getElementById('urgent').textContent)"),
  'what waits for an approval stands at the top', await run("document.getElementById('urgent').textContent"));
await open(launch(BOT, 1002, 'Bob', 'AAG'));
check(await until("/alice asks for backup.*Approve.*Decline/.test(document.getElementById('urgent').textContent)"),
  'the other person gets it with the answers', await run("document.getElementById('urgent').textContent"));
await shoot('desktop-asked');
await run("[...document.querySelectorAll('#urgent button')].find((b) => b.textContent === 'Approve').click()");
let approved = [];
for (const end = Date.now() + 40000; Date.now() < end && approved[0]?.state !== 'done'; await sleep(50)) approved = (await api('runs?command=backup')).runs;
check(approved.length === 2 && approved[0].state === 'done' && approved[0].user === 'alice', 'whose yes lets it run', JSON.stringify(approved));
check(await until("!/asks for backup/.test(document.getElementById('urgent').textContent)"), 'then it is gone from the top');
await run("document.getElementById('dialog').close()");

/* A run that waits for another person in its middle, asked for in the chat: once declined, once approved. */
const urgentText = () => run("document.getElementById('urgent').textContent");
const pressUrgent = (text) => run(`[...document.querySelectorAll('#urgent button')].find((b) => b.textContent === '${text}').click()`);
async function playbook(wanted) {
  let found;
  for (const end = Date.now() + 40000; Date.now() < end && found?.state !== wanted; await sleep(50)) [found] = (await api('runs?command=playbook')).runs;
  return found;
}
const waits = "/alice asks for playbook service=kept. .Restart kept now\\?. ?Approve.*Decline/.test(document.getElementById('urgent').textContent)";
appendFileSync(`${WORK}/say`, 'send 1001 /playbook kept\n');
check(await until(waits), 'a run that waits in its middle stands at the top, with its question', await urgentText());
await shoot('phone-step');
await pressUrgent('Decline');
const refused = await playbook('failed');
check(refused?.error_code === 'APPROVAL_REFUSED', 'one person declines: the run ends', JSON.stringify(refused));
check(await until("!/asks for playbook/.test(document.getElementById('urgent').textContent)"), 'it is gone from the top', await urgentText());
await run("document.getElementById('dialog').close()");
appendFileSync(`${WORK}/say`, 'send 1001 /playbook kept\n');
check(await until(waits), 'the same again is another question', await urgentText());
await pressUrgent('Approve');
const went = await playbook('done');
const { steps } = await api(`runs/${went?.id}`);
check(went?.state === 'done' && steps[1].outputs.by === 'bob' && steps[2].action === 'service.restart', 'and the yes lets it go on', JSON.stringify([went, steps]));
check(await until("!/asks for playbook/.test(document.getElementById('urgent').textContent)"), 'then it, too, is gone');
await run("document.getElementById('dialog').close()");
await enter('playbook kept');
check(await until("/bob asks for playbook.*Another person has to approve it. Cancel it/.test(document.getElementById('urgent').textContent)"), 'who asked can only cancel it', await urgentText());
await pressUrgent('Cancel it');
check((await playbook('failed'))?.user === 'bob' && await until("!/asks for playbook/.test(document.getElementById('urgent').textContent)"), 'which ends the run', await urgentText());
await until("/approval was refused/i.test(document.getElementById('dialog').textContent)");
await run("document.getElementById('dialog').close()");
await run("window.real = window.fetch; window.fetch = (url, more) => real(url, { ...more, headers: { ...more?.headers, Prefer: 'respond-async' } })");
await enter('playbook kept');
check(await until("/playbook: running[^]*Run \\d+ goes on without this page/.test(document.getElementById('dialog').textContent)"), 'a run that is longer than a request is not called done', await run("document.getElementById('dialog').textContent"));
await run("window.fetch = real; delete window.real; document.querySelector('#dialog a').click()");
check(await until("!document.getElementById('dialog').open && location.hash === '#runs'"), 'it leads to its steps');
await pressUrgent('Cancel it');
await until("!/asks for playbook/.test(document.getElementById('urgent').textContent)");
await run("document.getElementById('dialog').close(); document.getElementById('logout').click()");
await until(loggedOut);

/* A token that is not valid any more. */
await run("document.getElementById('token').focus()");
await type(token);
await press('Enter');
await until("document.getElementById('tiles')");
await run("sessionStorage.setItem('nightdesk.token', 'nd_GONE')");
await call('Page.reload');
check(await until("document.getElementById('token') && document.querySelector('[role=alert] .notice')"), 'a token that ends leads to the login, with the reason');
const later = complaints.filter((text) => !/net::ERR_CONN|WebSocket connection to/.test(text)); /* while it was stopped */
check(later.length === 0, 'no error until the end', later.join('; '));
leave(0);
