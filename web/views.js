// What the parts of the page show. Each part: { title, topics that change it, load() → nodes, role that it needs }.
import { get } from './api.js';
import { card, el, exact, number, percent, problem, signed, small, table, time, tone } from './dom.js';
import * as charts from './charts.js';

const tile = (name, value, note, kind) => el('div', {}, el('dt', {}, name),
  el('dd', { class: kind }, value, note ? el('small', {}, note) : null));
const coloured = (value, text) => el('span', { class: tone(value) }, text);
const badge = (text) => el('span', {
  class: ['critical', 'high', 'failed', 'down', 'refused'].includes(text) ? 'bad'
    : ['medium', 'vetoed', 'degraded', 'confirming'].includes(text) ? 'warn' : '' }, text);

// What is unfolded below a row. It stays so while the list is read again, and while it goes on it is read
// each second.
const opened = new Map();
export const foldAll = () => opened.clear();

async function fill(place, key, load) {
  let goesOn = false;
  try {
    const found = await load();
    const fresh = el('div', {}, found.nodes);
    if (fresh.textContent !== place.textContent) place.replaceChildren(...fresh.childNodes);
    goesOn = found.goesOn;
  } catch (err) {
    goesOn = place.hasChildNodes() && err.status === 0;
    if (!goesOn) place.replaceChildren(problem(err));
  }
  if (goesOn) setTimeout(() => { if (place.isConnected && opened.has(key)) fill(place, key, load); }, 1000);
}

// rows: with those that are unfolded, but not in the list any more; button and below: for a row.
async function unfolding(kind, listed, load) {
  const keyOf = (row) => `${kind}-${row.id}`;
  const gone = [...opened].filter(([key]) => key.startsWith(`${kind}-`) && !listed.some((row) => keyOf(row) === key));
  const rows = [...listed, ...gone.map(([, row]) => row)];
  const places = new Map(rows.map((row) => [keyOf(row),
    el('div', { id: `${keyOf(row)}-more`, class: 'more', 'aria-live': 'polite', hidden: !opened.has(keyOf(row)) })]));
  await Promise.all(rows.filter((row) => opened.has(keyOf(row))).map((row) =>
    fill(places.get(keyOf(row)), keyOf(row), () => load(row.id))));
  const toggle = (event, row) => {
    const key = keyOf(row), place = places.get(key), open = !opened.has(key);
    if (open) opened.set(key, row);
    else opened.delete(key);
    event.target.setAttribute('aria-expanded', String(open));
    place.hidden = !open;
    place.closest('tr').hidden = !open;
    if (open) fill(place, key, () => load(row.id));
  };
  return { rows,
    button: (row, text, label) => el('button', { id: keyOf(row), type: 'button', class: 'row', 'aria-label': label,
      'aria-expanded': String(opened.has(keyOf(row))), 'aria-controls': `${keyOf(row)}-more`,
      onclick: (event) => toggle(event, row) }, text),
    below: (row) => places.get(keyOf(row)) };
}

/* ------------------------------------------------------------------ desk */

function tiles(account) {
  const day = account.equity - account.day_start_equity;
  return el('dl', { class: 'tiles', id: 'tiles' },
    tile('Equity', number(account.equity), account.currency),
    tile('Today', signed(day), null, tone(day)),
    tile('Drawdown', percent(account.drawdown_pct), `stops at ${percent(account.max_drawdown_pct)}`),
    tile('Exposure', percent(account.exposure_pct), `cash ${number(account.cash)}`));
}

export const positionsTable = (rows) => el('div', { id: 'positions' }, table('Open positions', [
  { name: 'Symbol', of: (p) => small(p.symbol, `${p.side} ${exact(p.qty)}`) },
  { name: 'Price', num: true, of: (p) => small(exact(p.mark_price), `from ${exact(p.entry_price)}`) },
  { name: 'Stop', num: true, of: (p) => exact(p.stop) },
  { name: 'Target', num: true, wide: true, of: (p) => exact(p.target) },
  { name: 'Profit', num: true, of: (p) => coloured(p.unrealised_pnl, signed(p.unrealised_pnl)) },
], rows, 'Nothing is open.'));

async function desk() {
  const [state, list] = await Promise.all([get('state'), get('equity?limit=500')]);
  const nodes = [tiles(state.account), card(positionsTable(state.positions))];
  if (list.equity.length < 2) {
    nodes.push(card(el('h2', {}, 'Equity'), el('p', { class: 'dim' }, 'There is no history yet; a point is kept each hour.')));
    return nodes;
  }
  const rows = list.equity, values = rows.map((r) => r.equity);
  const worst = Math.min(...charts.drawdowns(rows).map((r) => r.percent));
  const told = `from ${number(values.at(-1))} to ${number(values[0])}, lowest ${number(Math.min(...values))}, highest ${number(Math.max(...values))}`;
  const one = el('div', { class: 'chart' }), two = el('div', { class: 'chart' });
  nodes.push(card(el('h2', {}, 'Equity'), one, el('p', { class: 'legend' }, told)),
    card(el('h2', {}, 'Drawdown'), two, el('p', { class: 'legend' }, `the deepest: ${percent(worst)}`)));
  queueMicrotask(() => { charts.equity(one, rows, `Equity ${told}`); charts.drawdown(two, rows, `Drawdown in percent, the deepest ${percent(worst)}`); });
  return nodes;
}

/* ------------------------------------------------------------------ chart */

let chosen = '';
async function chart() {
  const state = await get('state');
  const symbols = state.markets.map((m) => m.symbol);
  if (!symbols.includes(chosen)) chosen = symbols[0] ?? '';
  if (!chosen) return [card(el('p', {}, 'No market is watched.'))];
  const s = encodeURIComponent(chosen);
  const [candles, trades, orders] = await Promise.all([
    get(`candles?symbol=${s}&limit=120`), get(`trades?symbol=${s}&limit=50`), get(`orders?symbol=${s}&limit=100`)]);
  const { seconds } = charts;
  const stopOf = new Map(orders.orders.map((o) => [o.client_id, o.stop]));
  const marks = [], stops = [], end = seconds(state.market_time);
  for (const t of trades.trades) {
    marks.push({ at: seconds(t.opened_at), price: t.entry_price, entry: true, long: t.side === 'long' },
      { at: seconds(t.closed_at), price: t.exit_price, entry: false });
    if (stopOf.get(t.client_id)) stops.push({ from: seconds(t.opened_at), to: seconds(t.closed_at), price: stopOf.get(t.client_id) });
  }
  for (const p of state.positions.filter((one) => one.symbol === chosen)) {
    marks.push({ at: seconds(p.opened_at), price: p.entry_price, entry: true, long: p.side === 'long' });
    if (p.stop) stops.push({ from: seconds(p.opened_at), to: end, price: p.stop });
  }
  const holder = el('div', { class: 'chart' });
  const last = candles.candles[0];
  const label = last ? `${chosen}: ${candles.candles.length} candles of 5 minutes, the last closed at ${exact(last.close)}` : '';
  if (last) queueMicrotask(() => charts.candles(holder, candles.candles, marks, stops, label));
  const choice = el('select', { id: 'symbol', onchange: (event) => { chosen = event.target.value; event.target.dispatchEvent(new Event('reload', { bubbles: true })); } },
    symbols.map((name) => el('option', { value: name, selected: name === chosen }, name)));
  return [card(el('label', { for: 'symbol' }, 'Market '), choice,
    last ? holder : el('p', { class: 'dim' }, 'There are no candles yet.'),
    el('p', { class: 'legend' }, '▲ entry long, ▼ entry short, ✕ exit, dashed: stop. Times are UTC.')),
  card(table('Last trades', [
    { name: 'Opened', of: (t) => small(time(t.opened_at), t.side) },
    { name: 'In', num: true, of: (t) => exact(t.entry_price) },
    { name: 'Out', num: true, of: (t) => small(exact(t.exit_price), t.exit_reason) },
    { name: 'Stop', num: true, wide: true, of: (t) => exact(stopOf.get(t.client_id)) },
    { name: 'Profit', num: true, of: (t) => coloured(t.pnl, signed(t.pnl)) },
  ], trades.trades.slice(0, 20), 'Nothing was traded here yet.'))];
}

/* ------------------------------------------------------------------ decisions */

async function why(id) {
  const { decision } = await get(`decisions/${id}/why`);
  return { goesOn: false, nodes: [el('h2', {}, `Decision ${id}`), el('p', {}, `Score ${number(decision.score)}, needed ${number(decision.threshold)}. ${decision.veto_text}`),
    ...decision.votes.map((vote) => el('div', {}, el('h3', {}, `${vote.agent.replaceAll('_', ' ')}: ${vote.direction}, confidence ${percent(vote.confidence * 100)}`),
      vote.reasons.length === 0 ? el('p', { class: 'dim' }, 'gave no reasons')
        : el('ul', {}, vote.reasons.map((r) => el('li', {}, `${r.indicator} ${exact(r.value)} against ${exact(r.threshold)}: ${number(r.points)} points`)))))] };
}

async function decisions() {
  const { rows, button, below } = await unfolding('decision', (await get('decisions?limit=50')).decisions, why);
  return [card(table('Decisions', [
    { name: 'When', wide: true, of: (d) => time(d.at) },
    { name: 'Decision', of: (d) => button(d, `${d.symbol} ${d.direction}, ${time(d.at).slice(11)}`, `Why: ${d.symbol}, decision ${d.id}`) },
    { name: 'Outcome', of: (d) => small('', d.veto_text).toSpliced(0, 1, badge(d.outcome)) },
  ], rows, 'No decision was taken yet.', below))];
}

/* ------------------------------------------------------------------ alerts, findings, incidents */

function alertCard(a) {
  return card(el('h3', {}, badge(a.severity), ` ${a.title}`), el('p', {}, a.description),
    a.recommendation ? el('p', {}, `What to do: ${a.recommendation}`) : null,
    a.evidence?.length ? el('ul', {}, a.evidence.map((e) => el('li', {},
      `${e.pointer} = ${e.value}${e.verified ? ', verified' : ''}${e.note ? ` (${e.note})` : ''}`))) : null,
    el('p', { class: 'dim' }, `No. ${a.id}, ${a.source}, ${a.status}, ${a.count} times, last ${time(a.last_seen_at)}`));
}

async function alerts() {
  const [one, two, three] = await Promise.all([get('alerts'), get('findings'), get('incidents?status=all&limit=20')]);
  const part = (title, rows, empty) => [el('h2', {}, title), ...(rows.length ? rows.map(alertCard) : [el('p', { class: 'dim' }, empty)])];
  return [...part('Alerts', one.alerts, 'Nothing is wrong that nightdesk knows of.'),
    ...part('Findings of the auditor, with their proof', two.findings, 'The auditor has found nothing.'),
    card(table('Incidents', [
      { name: 'No.', of: (i) => String(i.id) },
      { name: 'What', of: (i) => small(i.title, i.acknowledged_by ? `seen by ${i.acknowledged_by}` : '') },
      { name: 'Severity', of: (i) => badge(i.severity) },
      { name: 'Opened', wide: true, of: (i) => time(i.opened_at) },
      { name: 'Over', of: (i) => (i.closed_at ? time(i.closed_at) : 'open') },
    ], three.incidents, 'There was no incident.'))];
}

/* ------------------------------------------------------------------ services, runs, audit log */

async function services() {
  const { services: rows } = await get('services');
  return [card(table('Services', [
    { name: 'Service', of: (s) => small(s.name, s.kind) }, { name: 'State', of: (s) => badge(s.state) },
    { name: 'Since', wide: true, of: (s) => time(s.since) },
    { name: 'Failures', num: true, wide: true, of: (s) => String(s.failures) },
    { name: 'Last check', of: (s) => s.detail },
  ], rows, 'No service is watched. Add some under services in the configuration.'))];
}

async function steps(id) {
  const { run, steps: rows } = await get(`runs/${id}`);
  return { goesOn: ['running', 'confirming'].includes(run.state), nodes: [el('p', { class: 'dim' }, Object.entries(run.args ?? {}).map(([k, v]) => `${k} = ${v}`).join(', ')),
    rows.length ? el('ol', {}, rows.map((s) => el('li', {}, `${s.action}: ${s.state} ${s.result && s.result !== 'ok' ? s.result : ''}`)))
      : el('p', { class: 'dim' }, 'No step was taken yet.')] };
}

async function runs() {
  const { rows, button, below } = await unfolding('run', (await get('runs?limit=50')).runs, steps);
  return [card(table('Commands that ran', [
    { name: 'Command', of: (r) => button(r, `${r.command} (${r.id})`, `Steps of ${r.command}, run ${r.id}`) },
    { name: 'By', of: (r) => small(r.user, r.channel) },
    { name: 'State', of: (r) => small('', r.error_code ?? '').toSpliced(0, 1, badge(r.state)) },
    { name: 'When', wide: true, of: (r) => time(r.created_at) },
  ], rows, 'No command ran yet.', below))];
}

async function audit() {
  const { auditlog: rows } = await get('auditlog?limit=100');
  return [card(table('Audit log', [
    { name: 'When', wide: true, of: (r) => time(r.at) },
    { name: 'Who', of: (r) => small(r.user, r.channel) },
    { name: 'What', of: (r) => small(r.action, r.detail) },
    { name: 'Result', of: (r) => r.result },
  ], rows, 'The audit log is empty.'))];
}

export const views = {
  desk: { title: 'Desk', topics: ['equity', 'state'], load: desk },
  chart: { title: 'Chart', topics: [], load: chart },
  decisions: { title: 'Decisions', topics: [], load: decisions },
  alerts: { title: 'Alerts', topics: ['alerts', 'findings'], load: alerts },
  services: { title: 'Services', topics: ['services'], load: services },
  runs: { title: 'Runs', topics: ['runs'], load: runs },
  audit: { title: 'Audit log', topics: [], load: audit, role: 'admin' },
};
export { tiles };
