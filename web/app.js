// Logging in, the parts of the page, and what is urgent.
import { act, get, setToken, token, whenLost } from './api.js';
import { age, byId, el, problem } from './dom.js';
import { answer, commandLine } from './command.js';
import { live } from './live.js';
import { foldAll, tiles, views } from './views.js';

let stream = null, current = 'desk', loadedAt = 0, loading = 0, session = false, role = '', me = '', soon = 0, asking = false, asks = 0;
const now = { state: null, alerts: new Map(), asked: [], cutSince: 0, stale: false, staleAge: 0 };
let version = '', files = '', updated = ''; /* of nightdesk, and the page's: as they were loaded; and whether they have changed */

/* ------------------------------------------------------------------ what is urgent */

let urgentText = '';
function urgent() {
  const notices = [];
  const add = (mild, ...words) => notices.push(el('div', { class: mild ? 'notice mild' : 'notice' }, ...words));
  const state = now.state;
  if (updated) {
    add(true, el('strong', {}, `${updated} `),
      el('button', { type: 'button', id: 'reload', onclick: () => window.location.reload() }, 'Reload'));
  }
  if (state && state.state !== 'active') add(state.state === 'paused', el('strong', {}, `Trading: ${state.state}. `), state.reason);
  if (now.stale) add(false, el('strong', {}, 'The engine is silent. '), 'These are the last figures that are known.');
  for (const r of now.asked) {
    const choice = (text, word) => el('button', { type: 'button', onclick: () => answer(`${word} ${r.approval.code}`).then(approvals) }, text);
    add(true, el('strong', {}, `${r.user} asks for `), `${r.command}${r.given}. `, r.approval.asked ? `“${r.approval.asked}” ` : '',
      ...(r.user === me ? ['Another person has to approve it. ', choice('Cancel it', 'cancel')]
        : [choice('Approve', 'confirm'), ' ', choice('Decline', 'cancel')]));
  }
  const open = [...now.alerts.values()].filter((a) => a.status === 'open');
  for (const a of open.filter((one) => ['critical', 'high'].includes(one.severity)).slice(0, 3)) {
    add(false, el('strong', {}, `${a.severity}: `), el('a', { href: '#alerts' }, a.title));
  }
  const rest = open.length - Math.min(3, open.filter((one) => ['critical', 'high'].includes(one.severity)).length);
  if (rest > 0) add(true, el('a', { href: '#alerts' }, `${rest} more open ${rest === 1 ? 'alert' : 'alerts'}`));
  const text = [...notices.map((n) => n.textContent), ...now.asked.map((r) => r.approval.code)].join('\n');
  if (text !== urgentText) {
    urgentText = text;
    byId('urgent').replaceChildren(...notices);
  }
}

// What waits for the approval of another person, before a run or in its middle, with the arguments that they approve.
async function approvals() {
  const mine = ++asks;
  if (!['operator', 'admin'].includes(role)) return;
  try {
    const lists = await Promise.all(['confirming', 'running'].map((state) => get(`runs?state=${state}&limit=50`)));
    const rows = lists.flatMap((list) => list.runs.filter((r) => r.approval));
    const found = await Promise.all(rows.map(async (r) => {
      const args = Object.entries((await get(`runs/${r.id}`)).run.args ?? {});
      return { ...r, given: args.map(([name, value]) => ` ${name}=${value}`).join('') };
    }));
    if (mine !== asks) return;
    now.asked = found;
    urgent();
  } catch { /* asked again with the next event */ }
}

// The tags of the files of this page: they differ when a build has other ones, whatever its version is called.
async function tags() {
  const mine = ['/', ...new Set(performance.getEntriesByType('resource').map((r) => new URL(r.name).pathname).filter((path) => path.startsWith('/web/')))];
  const found = await Promise.all(mine.map(async (path) => (await fetch(path, { cache: 'no-cache' })).headers.get('ETag') ?? ''));
  return found.join(' ');
}

// An update cuts the stream, so it is enough to look when that is live again.
async function compareVersion() {
  try {
    const [found, tagged] = [(await get('version')).version, await tags()];
    version ||= found;
    files ||= tagged;
    updated = found !== version ? `nightdesk is ${found} now, this page is of ${version}.`
      : tagged !== files ? 'nightdesk has another build now, this page is of the one before.' : '';
    urgent();
  } catch { /* the token may not read it, or it is asked again at the next cut */ }
}

function line(since) {
  if (since === 0) compareVersion();
  if (since === 0 && now.cutSince !== 0) refresh(); /* what happened meanwhile */
  now.cutSince = since;
  const text = since === 0 ? 'live' : `not live for ${age((Date.now() - since) / 1000)}`;
  if (byId('live').textContent !== text) byId('live').textContent = text;
  byId('live').className = since === 0 ? 'good' : 'warn';
  const old = since !== 0 && loadedAt > 0 && Date.now() - loadedAt > 5000;
  byId('main').classList.toggle('old', old);
  byId('age').hidden = !old;
  if (old) byId('age').textContent = `These figures are ${age((Date.now() - loadedAt) / 1000)} old.`;
}

/* ------------------------------------------------------------------ the parts */

function navigation() {
  byId('nav').replaceChildren(...Object.entries(views).filter(([, view]) => !view.role || view.role === role).map(([name, view]) =>
    el('a', { href: `#${name}`, 'aria-current': name === current ? 'page' : null }, view.title)),
  el('a', { href: '/docs', target: '_blank', rel: 'noopener' }, 'API'));
}

async function load(quiet) {
  if (!token()) return;
  const mine = ++loading, view = views[current];
  const place = byId('content');
  if (!quiet) place.replaceChildren(el('p', { class: 'dim' }, 'Loading…'));
  try {
    const nodes = await view.load();
    if (mine !== loading) return;
    const held = place.contains(document.activeElement) ? document.activeElement : null;
    /* not under the reader's hands */
    if (quiet && (held?.id === '' || held?.matches('select') || getSelection().containsNode(place, true) && !getSelection().isCollapsed)) return;
    place.replaceChildren(...nodes);
    if (held) byId(held.id)?.focus({ preventScroll: true });
    loadedAt = Date.now();
  } catch (err) {
    if (mine === loading && session && !quiet) place.replaceChildren(problem(err));
  }
}

function refresh() {
  soon ||= setTimeout(() => {
    soon = 0;
    if (session && !document.hidden) load(true);
  }, 1000);
}

function route() {
  const name = location.hash.slice(1);
  if (!session || (name && !views[name])) return;
  current = name || 'desk';
  document.title = `${views[current].title} – nightdesk`;
  navigation();
  load(false);
}

function onText(message) {
  const { topic, data } = message;
  if (topic === 'state') { now.state = data; urgent(); }
  if (topic === 'alerts' || topic === 'findings') {
    if (message.type === 'snapshot') {
      for (const [id, a] of now.alerts) if ((a.source === 'auditor') === (topic === 'findings')) now.alerts.delete(id);
    }
    for (const a of Array.isArray(data) ? data : [data]) now.alerts.set(a.id, a);
    urgent();
  }
  if (topic === 'equity' && current === 'desk' && byId('tiles')) {
    const used = byId('tiles');
    used.replaceWith(tiles(data));
    loadedAt = Date.now();
  }
  if (topic === 'runs') approvals();
  if (message.type === 'event' && views[current].topics.includes(topic) && topic !== 'equity') refresh();
  if (message.type === 'missed') refresh();
}

async function tick() {
  if (!session || document.hidden || asking) return;
  if (Date.now() - loadedAt > 15000) refresh();
  asking = true;
  try {
    const health = await get('state');
    now.stale = health.stale;
    now.state = health.trading;
    urgent();
  } catch (err) {
    if (err.status === 0) stream?.doubt();
  } finally {
    asking = false;
  }
}

/* ------------------------------------------------------------------ in and out */

function leave(why) {
  session = false;
  loading++;
  stream?.stop();
  stream = null;
  setToken('');
  foldAll();
  now.alerts.clear();
  now.asked = [];
  now.state = null;
  urgentText = '';
  byId('urgent').replaceChildren();
  byId('dialog').close();
  for (const id of ['nav', 'console', 'logout']) byId(id).hidden = true;
  byId('live').textContent = 'not connected';
  byId('live').className = '';
  login(why);
}

function enter(who) {
  session = true;
  role = who.role;
  me = who.name;
  for (const id of ['nav', 'console', 'logout']) byId(id).hidden = false;
  byId('logout').textContent = `Log out ${who.name}`;
  byId('main').replaceChildren(el('p', { id: 'age', class: 'warn', role: 'status', hidden: true }), el('div', { id: 'content' }));
  commandLine(byId('console'));
  route();
  approvals();
  stream = live({ onText, onLine: line });
}

async function tryToken(text) {
  setToken(text);
  try {
    enter(await get('whoami'));
  } catch (err) {
    setToken('');
    login(err);
  }
}

function login(why) {
  const input = el('input', { id: 'token', type: 'password', autocomplete: 'off', required: true, 'aria-describedby': 'how' });
  byId('main').replaceChildren(el('form', { class: 'login card', onsubmit: (event) => {
    event.preventDefault();
    if (input.value.trim()) tryToken(input.value.trim());
  } }, el('h2', {}, 'Log in'), why ? el('div', { role: 'alert' }, problem(why)) : null,
  el('label', { for: 'token' }, 'Token'), input,
  el('div', { class: 'buttons' }, el('button', { class: 'primary' }, 'Log in')),
  el('p', { id: 'how', class: 'dim' }, 'A token is made on the machine: nightdesk token create. Or send /web in the chat for a link. It is forgotten when this tab is closed.')));
  input.focus();
}

// With what the address brought: the code of a link, or what Telegram has signed. It is not left there.
function brought() {
  const hash = new URLSearchParams(location.hash.slice(1));
  const code = hash.get('code'), data = hash.get('tgWebAppData');
  if (code || data) history.replaceState(null, '', '/');
  return code ? { code } : data ? { init_data: data } : null;
}

async function exchange(body) {
  const before = token();
  setToken('');
  try {
    const answer = await act('POST', 'session', body);
    await tryToken(answer.token);
  } catch (err) {
    if (err.error_code === 'LOGIN_OLD' && before) await tryToken(before); /* the frame was loaded again */
    else login(err);
  }
}

byId('logout').addEventListener('click', async () => {
  let why = null;
  try {
    await act('DELETE', 'session');
  } catch (err) {
    if (err.error_code !== 'LOGIN_NONE') why = err; /* a token that was typed has no session to end */
  }
  if (session) leave(why);
});
whenLost((err) => { if (session) leave(err); });
addEventListener('hashchange', () => {
  const body = brought();
  if (!body) { route(); return; }
  if (session) leave(null);
  exchange(body);
});
byId('main').addEventListener('reload', () => load(false));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => session && load(true));
setInterval(tick, 5000);

const body = brought();
if (body) exchange(body);
else if (token()) tryToken(token());
else login(null);
